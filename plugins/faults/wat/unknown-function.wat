;; A component that imports a function which the contract's `state` does not have. Expected: refused at load, with the function named.
(component
  (import "weir:plugin/state@0.1.0" (instance (export "steal" (func (result (list u8)))))))
