;; A component that sleeps an hour while it is instantiated, by the clock of WASI. Expected: refused at load, because it exports nothing of the contract;
;; were it instantiated, the closed WASI would end the call at once.
(component
  (import "wasi:clocks/monotonic-clock@0.2.0" (instance $clock
    (export "subscribe-duration" (func (param "when" u64) (result u32)))))
  (core func $sleep (canon lower (func $clock "subscribe-duration")))
  (core module $code
    (import "clock" "sleep" (func $sleep (param i64) (result i32)))
    (func $start (drop (call $sleep (i64.const 3600000000000))))
    (start $start))
  (core instance (instantiate $code
    (with "clock" (instance (export "sleep" (func $sleep)))))))
