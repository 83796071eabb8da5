use super::*;
use crate::types::KeptAnswer;

#[test]
fn requests_with_an_idempotency_key() {
    let answer = KeptAnswer {
        status: 201,
        headers: vec![("location".to_owned(), "/api/v1/runs/run_1".to_owned())],
        body: Some(b"{}".to_vec()),
    };
    let under_way = RequestV1 { number: 7, at: NOW.0, request: [3; 32], answer: None };
    let answered = RequestV1 { answer: Some(answer.into()), ..under_way.clone() };
    for (name, row) in [("request-under-way", under_way), ("request-answered", answered)] {
        golden(name, &encode(&row).unwrap());
        assert_eq!(decode::<RequestV1>(&encode(&row).unwrap()).unwrap(), row);
    }
}
