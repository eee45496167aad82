;; A core module, not a component. Expected: refused at load.
(module
  (memory (export "memory") 1)
  (func (export "process") (result i32) i32.const 0))
