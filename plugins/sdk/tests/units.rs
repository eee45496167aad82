//! Units as an author writes them, over a host in memory.

#![allow(clippy::unwrap_used, clippy::panic, reason = "these are tests")]

use weir_sdk::testing::{Bench, batch, f64s, host, kept, refuse_writes};
use weir_sdk::{Batch, Column, ColumnExt, Output};

mod slow {
    //! The smallest filter, with a configuration.

    use weir_sdk::{Event, filter};

    #[derive(Event)]
    pub struct Request<'a> {
        latency_ms: f64,
        #[column = "http.method"]
        method: Option<&'a str>,
    }

    #[derive(serde::Deserialize)]
    pub struct Limit {
        limit_ms: f64,
    }

    pub const SCHEMA: &str = r#"{"type":"object","properties":{"limit_ms":{"type":"number"}}}"#;

    /// Keeps slow requests,
    /// and all that are no GET.
    #[filter(schema = SCHEMA)]
    pub fn keep(event: &Request, config: &Limit) -> bool {
        event.latency_ms > config.limit_ms || event.method.is_some_and(|method| method != "GET")
    }

    pub type Unit = KeepUnit;
}

mod ratio {
    //! The smallest transform.

    use weir_sdk::{Columns, Event, transform};

    #[derive(Event)]
    pub struct Request {
        latency_ms: f64,
        size: Option<i64>,
    }

    #[derive(Columns)]
    pub struct Added {
        latency_s: f64,
        #[column = "per.byte"]
        per_byte: Option<f64>,
        label: String,
    }

    /// Adds seconds.
    #[transform]
    pub fn add(event: &Request) -> Added {
        let per_byte = event.size.map(|size| event.latency_ms / size as f64);
        Added { latency_s: event.latency_ms / 1e3, per_byte, label: format!("{} ms", event.latency_ms) }
    }

    pub type Unit = AddUnit;
}

mod mean {
    //! A keyed aggregate: a struct and two functions.

    use weir_sdk::{Aggregate, Columns, Complaint, Description, Event, NoConfig, State};

    #[derive(Event)]
    pub struct Request {
        latency_ms: f64,
    }

    #[derive(State)]
    pub struct Sum {
        count: u64,
        sum: f64,
    }

    #[derive(Columns)]
    pub struct Row {
        count: u64,
        mean: f64,
    }

    pub struct Mean;

    impl Aggregate for Mean {
        type Config = NoConfig;
        type Event = Request;
        type State = Sum;
        type Output = Row;

        fn describe() -> Description {
            Description::new("aggregate", "mean", "1.0.0", "mean latency by host and second")
        }

        fn open(_config: NoConfig) -> Result<Self, Complaint> {
            Ok(Self)
        }

        fn keys(&self) -> Vec<String> {
            vec!["host".into()]
        }

        fn window_ns(&self) -> i64 {
            1000
        }

        fn fold(&self, state: &mut Sum, event: &Request) {
            state.count += 1;
            state.sum += event.latency_ms;
        }

        fn finish(&self, state: &Sum) -> Row {
            Row { count: state.count, mean: state.sum / state.count as f64 }
        }
    }

    weir_sdk::export_aggregate!(Mean);
}

fn requests() -> Batch {
    let mut sizes = Column::of_s64s("size", &[10, 0, 4]);
    sizes.valid = Some(vec![1, 0, 1]);
    let columns = vec![
        Column::of_f64s("latency_ms", &[50.0, 150.0, 20.0]),
        sizes,
        Column::of_categories("http.method", ["GET", "GET", "PUT"]),
    ];
    batch(&[100, 1200, 200], &[0, 1, 0], columns)
}

#[test]
fn a_filter_is_one_function() {
    let mut bench = Bench::<slow::Unit>::open(r#"{"limit_ms": 100}"#).unwrap();
    assert_eq!(kept(&bench.process(requests()).unwrap(), 0, 3), Some(vec![1, 2]));
    let reads = bench.plan.to_json();
    assert!(reads.contains(r#"{"name":"http.method","kind":"categories","optional":true}"#), "{reads}");
}

#[test]
fn the_comment_is_the_summary_and_the_schema_is_kept() {
    let description = <slow::Unit as weir_sdk::Unit>::describe().to_json();
    let json: serde_json::Value = serde_json::from_str(&description).unwrap();
    assert_eq!(json["summary"], "Keeps slow requests, and all that are no GET.");
    assert_eq!(json["config"]["properties"]["limit_ms"]["type"], "number");
}

#[test]
fn a_row_without_a_needed_field_is_no_event() {
    let mut bench = Bench::<slow::Unit>::open(r#"{"limit_ms": 0}"#).unwrap();
    let bare = batch(&[1], &[], vec![Column::of_categories("http.method", ["PUT"])]);
    assert_eq!(kept(&bench.process(bare).unwrap(), 0, 1), None);
}

#[test]
fn a_transform_adds_columns() {
    let mut bench = Bench::<ratio::Unit>::open("").unwrap();
    let Output::Forward(forward) = bench.process(requests()).unwrap().remove(0) else { panic!("no forward") };
    let made = batch(&[1, 2, 3], &[], forward.set);
    assert_eq!(f64s(&made, "latency_s"), [0.05, 0.15, 0.02]);
    let per_byte = f64s(&made, "per.byte");
    assert_eq!((per_byte[0], per_byte[1].is_nan(), per_byte[2]), (5.0, true, 5.0));
}

#[test]
fn an_aggregate_closes_its_windows_with_the_watermark() {
    let mut bench = Bench::<weir_sdk::aggregate::Windowed<mean::Mean>>::open("{}").unwrap();
    assert!(bench.process(requests()).unwrap().is_empty());
    bench.reopen("{}").unwrap();
    bench.process(requests()).unwrap();
    assert!(bench.advance(999).unwrap().is_empty());
    let closed = bench.advance(1000).unwrap();
    let Some(Output::Emit(emit)) = closed.first() else { panic!("no row") };
    assert_eq!(
        (closed.len(), f64s(&emit.batch, "count"), f64s(&emit.batch, "mean")),
        (1, vec![4.0], vec![35.0])
    );
    let Output::Reject(late) = bench.process(requests()).unwrap().remove(0) else { panic!("nothing late") };
    assert_eq!((late.code.as_str(), late.indexes.len()), ("late", 8));
}

#[test]
fn a_full_table_is_a_failure_that_says_so() {
    let mut bench = Bench::<weir_sdk::aggregate::Windowed<mean::Mean>>::open("{}").unwrap();
    refuse_writes(true);
    assert_eq!(bench.process(requests()).unwrap_err().code, "quota");
    host(|host| assert!(host.entries.is_empty()));
}
