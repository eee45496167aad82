;; A component that wants to run programs. Expected: refused at load, with the import named.
(component
  (import "evil:shell/run@0.1.0" (instance (export "run" (func (param "line" string))))))
