//! Why a request failed, as `wasi:http` has it, in a form that can be written down.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use wasmtime_wasi_http::p2::bindings::http::types::{
    DnsErrorPayload, ErrorCode, FieldSizePayload, TlsAlertReceivedPayload,
};

use super::Carried;

/// wasmtime's own type, carried.
#[derive(Serialize, Deserialize)]
pub(crate) struct Code(#[serde(with = "Written")] pub(crate) ErrorCode);

impl Carried for Code {
    fn bytes(&self) -> usize {
        0
    }
}

/// What wasmtime's type is written down as.
#[derive(Serialize, Deserialize)]
#[serde(remote = "ErrorCode")]
enum Written {
    DnsTimeout,
    DnsError(#[serde(with = "DnsErrorWritten")] DnsErrorPayload),
    DestinationNotFound,
    DestinationUnavailable,
    DestinationIpProhibited,
    DestinationIpUnroutable,
    ConnectionRefused,
    ConnectionTerminated,
    ConnectionTimeout,
    ConnectionReadTimeout,
    ConnectionWriteTimeout,
    ConnectionLimitReached,
    TlsProtocolError,
    TlsCertificateError,
    TlsAlertReceived(#[serde(with = "TlsAlertWritten")] TlsAlertReceivedPayload),
    HttpRequestDenied,
    HttpRequestLengthRequired,
    HttpRequestBodySize(Option<u64>),
    HttpRequestMethodInvalid,
    HttpRequestUriInvalid,
    HttpRequestUriTooLong,
    HttpRequestHeaderSectionSize(Option<u32>),
    #[serde(serialize_with = "write_field", deserialize_with = "read_field")]
    HttpRequestHeaderSize(Option<FieldSizePayload>),
    HttpRequestTrailerSectionSize(Option<u32>),
    HttpRequestTrailerSize(#[serde(with = "FieldSizeWritten")] FieldSizePayload),
    HttpResponseIncomplete,
    HttpResponseHeaderSectionSize(Option<u32>),
    HttpResponseHeaderSize(#[serde(with = "FieldSizeWritten")] FieldSizePayload),
    HttpResponseBodySize(Option<u64>),
    HttpResponseTrailerSectionSize(Option<u32>),
    HttpResponseTrailerSize(#[serde(with = "FieldSizeWritten")] FieldSizePayload),
    HttpResponseTransferCoding(Option<String>),
    HttpResponseContentCoding(Option<String>),
    HttpResponseTimeout,
    HttpUpgradeFailed,
    HttpProtocolError,
    LoopDetected,
    ConfigurationError,
    InternalError(Option<String>),
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "DnsErrorPayload")]
struct DnsErrorWritten {
    rcode: Option<String>,
    info_code: Option<u16>,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "TlsAlertReceivedPayload")]
struct TlsAlertWritten {
    alert_id: Option<u8>,
    alert_message: Option<String>,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "FieldSizePayload")]
struct FieldSizeWritten {
    field_name: Option<String>,
    field_size: Option<u32>,
}

type Field = (Option<String>, Option<u32>);

fn write_field<S: Serializer>(field: &Option<FieldSizePayload>, to: S) -> Result<S::Ok, S::Error> {
    field.as_ref().map(|field| (&field.field_name, field.field_size)).serialize(to)
}

fn read_field<'de, D: Deserializer<'de>>(from: D) -> Result<Option<FieldSizePayload>, D::Error> {
    let field = Option::<Field>::deserialize(from)?;
    Ok(field.map(|(field_name, field_size)| FieldSizePayload { field_name, field_size }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_that_was_written_down_is_read_again() {
        let field = FieldSizePayload { field_name: Some("cookie".into()), field_size: Some(9000) };
        for code in [
            ErrorCode::ConnectionRefused,
            ErrorCode::DnsError(DnsErrorPayload { rcode: Some("NXDOMAIN".into()), info_code: None }),
            ErrorCode::TlsAlertReceived(TlsAlertReceivedPayload { alert_id: Some(40), alert_message: None }),
            ErrorCode::HttpRequestHeaderSize(None),
            ErrorCode::HttpRequestHeaderSize(Some(field.clone())),
            ErrorCode::HttpResponseTrailerSize(field),
            ErrorCode::HttpResponseBodySize(Some(u64::MAX)),
            ErrorCode::InternalError(Some("no".into())),
        ] {
            let told = format!("{code:?}");
            let written = serde_json::to_string(&Code(code)).unwrap();
            let read: Code = serde_json::from_str(&written).unwrap();
            assert_eq!(format!("{:?}", read.0), told, "{written}");
        }
    }
}
