;; A component that exports `manifest` and nothing else. Expected: refused at load, with the missing interfaces named.
(component
  (core module $code
    (memory (export "memory") 1)
    ;; Where `describe` answers: pointer and length of the text.
    (data (i32.const 8) "\10\00\00\00\02\00\00\00")
    (data (i32.const 16) "{}")
    (func (export "describe") (result i32) i32.const 8))
  (core instance $code (instantiate $code))
  (func $describe (result string) (canon lift (core func $code "describe") (memory (core memory $code "memory"))))
  (instance $manifest (export "describe" (func $describe)))
  (export "weir:plugin/manifest@0.1.0" (instance $manifest)))
