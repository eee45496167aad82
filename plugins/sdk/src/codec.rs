//! Codecs: bytes to batches and back. An instance keeps nothing between calls but caches.

use std::marker::PhantomData;

use serde::de::DeserializeOwned;

use crate::bindings::codec::exports::weir::plugin::{coding, manifest};
use crate::manifest::parse_config;
use crate::unit::{Hosted, not_open};
use crate::{Batch, Complaint, Description, Failure, FailureExt, Plan};

pub use coding::{Decoded, Defect, Encoded, Incoming, Setup, Unwritable};

pub trait Codec: Sized + 'static {
    type Config: DeserializeOwned;

    fn describe() -> Description;

    fn plan(_config: Self::Config) -> Result<Plan, Vec<Complaint>> {
        Ok(Plan::default())
    }

    fn open(config: Self::Config, setup: &Setup) -> Result<Self, Failure>;
    fn decode(&mut self, input: Incoming) -> Result<Decoded, Failure>;

    /// The default is that of a codec that only reads.
    fn encode(&mut self, _batches: Vec<Batch>) -> Result<Encoded, Failure> {
        Err(Failure::fail("unsupported", "this codec only reads"))
    }
}

#[doc(hidden)]
pub struct Guest<T>(PhantomData<T>);

impl<T: Codec> manifest::Guest for Guest<T> {
    fn describe() -> String {
        T::describe().to_json()
    }

    fn plan(config: String) -> Result<String, Vec<manifest::Complaint>> {
        let convert =
            |complaint: Complaint| manifest::Complaint { path: complaint.path, message: complaint.message };
        let config = parse_config(&config).map_err(|complaint| vec![convert(complaint)])?;
        T::plan(config).map(|plan| plan.to_json()).map_err(|list| list.into_iter().map(convert).collect())
    }
}

impl<T: Codec + Hosted> coding::Guest for Guest<T> {
    fn open(setup: Setup) -> Result<(), Failure> {
        crate::log::catch_panics();
        let config = parse_config(&setup.config)
            .map_err(|complaint| Failure::fail("bad-config", complaint.message))?;
        let codec = T::open(config, &setup)?;
        T::with_instance(|instance| *instance = Some(codec));
        Ok(())
    }

    fn decode(input: Incoming) -> Result<Decoded, Failure> {
        T::with_instance(|instance| instance.as_mut().ok_or_else(not_open)?.decode(input))
    }

    fn encode(batches: Vec<Batch>) -> Result<Encoded, Failure> {
        T::with_instance(|instance| instance.as_mut().ok_or_else(not_open)?.encode(batches))
    }
}

/// Counts a type as used on targets where nothing is exported.
#[doc(hidden)]
pub fn keep<T: Codec>() {}

/// Makes a component of a type that is a [`Codec`](crate::Codec).
#[macro_export]
macro_rules! export_codec {
    ($type:ident) => {
        $crate::hosted!($type);
        const _: fn() = $crate::codec::keep::<$type>;
        #[cfg(target_family = "wasm")]
        mod weir_exports {
            type Guest = $crate::codec::Guest<super::$type>;
            $crate::bindings::codec::export_codec!(Guest with_types_in $crate::bindings::codec);
        }
    };
}
