;; A component made for a contract of another version. Expected: refused at load, with both versions named.
(component
  (core module $code
    (memory (export "memory") 1)
    (data (i32.const 8) "\10\00\00\00\02\00\00\00")
    (data (i32.const 16) "{}")
    (func (export "describe") (result i32) i32.const 8))
  (core instance $code (instantiate $code))
  (func $describe (result string) (canon lift (core func $code "describe") (memory (core memory $code "memory"))))
  (instance $manifest (export "describe" (func $describe)))
  (export "weir:plugin/manifest@9.0.0" (instance $manifest)))
