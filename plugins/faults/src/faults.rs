//! The ways to misbehave, their names in the configuration, where they happen and what a host must make of them.
//!
//! [`FAULTS`] is the one list: the configuration schema is made of it, and the table in README.md is checked against it.

/// What a host must make of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expected {
    /// No fault: all rows come out of port `out`.
    Nothing,
    /// No fault: the rows that are named are in the dead letters, the rest comes out.
    DeadLetters,
    Deadline,
    Memory,
    Stack,
    Trap,
    Contract,
    /// The unit's own failure, when retries are used up.
    Failure,
    /// The configuration (or the component) is refused before anything runs.
    Refused,
    /// Deadline, or failure where the state's quota is so small that it is full before.
    DeadlineOrFailure,
}

#[cfg(test)]
impl Expected {
    pub fn name(self) -> &'static str {
        match self {
            Self::Nothing => "none",
            Self::DeadLetters => "dead letters",
            Self::Deadline => "deadline",
            Self::Memory => "memory",
            Self::Stack => "stack",
            Self::Trap => "trap",
            Self::Contract => "contract",
            Self::Failure => "failure",
            Self::Refused => "refused",
            Self::DeadlineOrFailure => "deadline or failure",
        }
    }
}

/// The call in which it happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Call {
    Plan,
    Open,
    Process,
    Tick,
    Close,
}

#[cfg(test)]
impl Call {
    pub fn name(self) -> &'static str {
        match self {
            Self::Plan => "plan",
            Self::Open => "open",
            Self::Process => "process",
            Self::Tick => "tick",
            Self::Close => "close",
        }
    }
}

macro_rules! faults {
    ($($variant:ident $name:literal $call:ident $expected:ident,)*) => {
        /// One way to misbehave.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Fault { $($variant,)* }

        /// Name, fault, call, expectation.
        pub const FAULTS: &[(&str, Fault, Call, Expected)] =
            &[$(($name, Fault::$variant, Call::$call, Expected::$expected),)*];
    };
}

faults! {
    None "none" Process Nothing,
    Spin "spin" Process Deadline,
    Trap "trap" Process Trap,
    Panic "panic" Process Trap,
    Recursion "recursion" Process Stack,
    MemoryGrowth "memory-growth" Process Memory,
    WrongMaskLength "wrong-mask-length" Process Contract,
    MaskValue "mask-value" Process Contract,
    RowOutOfRange "row-out-of-range" Process Contract,
    RowsNotRising "rows-not-rising" Process Contract,
    RaggedIndexes "ragged-indexes" Process Contract,
    BadOffsets "bad-offsets" Process Contract,
    InvalidUtf8 "invalid-utf8" Process Contract,
    UnknownPort "unknown-port" Process Contract,
    BadDictionaryCode "bad-dictionary-code" Process Contract,
    ColumnTooShort "column-too-short" Process Contract,
    ValidTooShort "valid-too-short" Process Contract,
    DuplicateColumn "duplicate-column" Process Contract,
    OmitTime "omit-time" Process Contract,
    EmitTimeTooShort "emit-time-too-short" Process Contract,
    EmitWrongKeys "emit-wrong-keys" Process Contract,
    BadTriplet "bad-triplet" Process Contract,
    TooManyOutputs "too-many-outputs" Process Contract,
    TooManyRows "too-many-rows" Process Contract,
    HugeOutput "huge-output" Process Memory,
    HugeMessage "huge-message" Process Contract,
    LogFlood "log-flood" Process Nothing,
    LogHuge "log-huge" Process Nothing,
    StateFlood "state-flood" Process DeadlineOrFailure,
    StateTooLarge "state-too-large" Process Failure,
    BadTable "bad-table" Process Contract,
    BadHandle "bad-handle" Process Contract,
    BadValueLength "bad-value-length" Process Contract,
    BadTimer "bad-timer" Process Contract,
    Sleep "sleep" Process Nothing,
    TrapEachThousandth "trap-each-thousandth" Process Nothing,
    FailureRetry "failure-retry" Process Failure,
    FailureDropRows "failure-drop-rows" Process DeadLetters,
    FailureBadIndexes "failure-bad-indexes" Process Contract,
    FailureFail "failure-fail" Process Failure,
    RejectRows "reject-rows" Process DeadLetters,
    SpinInOpen "spin-in-open" Open Deadline,
    TrapInOpen "trap-in-open" Open Trap,
    FailInOpen "fail-in-open" Open Failure,
    TrapInTick "trap-in-tick" Tick Trap,
    SpinInTick "spin-in-tick" Tick Deadline,
    ForwardInTick "forward-in-tick" Tick Contract,
    TrapInClose "trap-in-close" Close Nothing,
    PlanInvalidJson "plan-invalid-json" Plan Refused,
    PlanMissingPorts "plan-missing-ports" Plan Refused,
    PlanUnknownKind "plan-unknown-kind" Plan Refused,
    PlanComplains "plan-complains" Plan Refused,
    PlanTraps "plan-traps" Plan Refused,
    PlanSpins "plan-spins" Plan Refused,
    PlanImports "plan-imports" Plan Refused,
}

impl Fault {
    pub fn parse(name: &str) -> Option<Self> {
        FAULTS.iter().find(|fault| fault.0 == name).map(|fault| fault.1)
    }

    /// The call in which it happens.
    pub fn call(self) -> Call {
        FAULTS.iter().find(|fault| fault.1 == self).map_or(Call::Process, |fault| fault.2)
    }
}
