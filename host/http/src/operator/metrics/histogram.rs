//! A distribution as Prometheus reads it.

use prometheus_client::encoding::{EncodeMetric, MetricEncoder, NoLabelSet};
use prometheus_client::metrics::{MetricType, TypedMetric};

use hookbox_core::distribution::Distribution;

/// What was counted, and how many of it are one of the unit that is told.
#[derive(Debug, Clone, Copy)]
pub(super) struct Histogram {
    counted: Distribution,
    per_unit: f64,
}

impl Histogram {
    /// Of microseconds.
    pub(super) fn of_seconds(counted: Distribution) -> Histogram {
        Histogram { counted, per_unit: 1e6 }
    }

    pub(super) fn of_numbers(counted: Distribution) -> Histogram {
        Histogram { counted, per_unit: 1.0 }
    }
}

impl TypedMetric for Histogram {
    const TYPE: MetricType = MetricType::Histogram;
}

impl EncodeMetric for Histogram {
    fn encode(&self, mut encoder: MetricEncoder<'_>) -> Result<(), std::fmt::Error> {
        let bound = |bound: Option<u64>| bound.map_or(f64::MAX, |bound| bound as f64 / self.per_unit);
        let buckets: Vec<_> = self.counted.parts().map(|(upper, number)| (bound(upper), number)).collect();
        let sum = self.counted.sum() as f64 / self.per_unit;
        encoder.encode_histogram::<NoLabelSet>(sum, self.counted.number(), &buckets, None)
    }

    fn metric_type(&self) -> MetricType {
        Self::TYPE
    }
}
