;; The closed adapter: WASI preview1 for guests that have nothing to ask of the world.
;;
;; Joined to a core module by wit-component, so that the component imports no WASI at all. What a language's start-up needs is
;; answered here; everything else says "not supported" or "bad descriptor". Only writing to descriptors 1 and 2 reaches the host: as lines of
;; the log (1: info, 2: warn). Bytes that are not UTF-8 are left out, because the log takes text only. The host joins pieces of a line.
;; The clock counts its calls (1 µs each, from 0), random bytes are a fixed sequence: the same calls give the same answers, on replay too.
;; Sleeping returns at once. Exit traps. Memory is that of the guest; this module keeps two numbers besides.
;; Errno: 0 success, 8 badf, 44 noent, 52 nosys, 58 notsup. Descriptors 0, 1, 2 are character devices; there is no other and no preopen.
(module
  (import "env" "memory" (memory 0))
  (import "weir:plugin/log@0.1.0" "write" (func $log (param i32 i32 i32)))

  (global $clock_ns (mut i64) (i64.const 0))
  (global $random (mut i64) (i64.const 0x9E3779B97F4A7C15))

  ;; --- arguments and environment: none -------------------------------------------------------------------------------

  (func $nothing (param $count i32) (param $bytes i32) (result i32)
    (i32.store (local.get $count) (i32.const 0))
    (i32.store (local.get $bytes) (i32.const 0))
    (i32.const 0))
  (export "args_sizes_get" (func $nothing))
  (export "environ_sizes_get" (func $nothing))

  (func $nothing_at (param i32 i32) (result i32) (i32.const 0))
  (export "args_get" (func $nothing_at))
  (export "environ_get" (func $nothing_at))

  ;; --- clock and random: fixed ---------------------------------------------------------------------------------------

  (func (export "clock_time_get") (param $id i32) (param $precision i64) (param $time i32) (result i32)
    (global.set $clock_ns (i64.add (global.get $clock_ns) (i64.const 1000)))
    (i64.store (local.get $time) (global.get $clock_ns))
    (i32.const 0))

  (func (export "clock_res_get") (param $id i32) (param $resolution i32) (result i32)
    (i64.store (local.get $resolution) (i64.const 1000))
    (i32.const 0))

  ;; xorshift64, one byte a step.
  (func (export "random_get") (param $at i32) (param $length i32) (result i32)
    (local $x i64)
    (local.set $x (global.get $random))
    (block $done
      (loop $next
        (br_if $done (i32.eqz (local.get $length)))
        (local.set $x (i64.xor (local.get $x) (i64.shl (local.get $x) (i64.const 13))))
        (local.set $x (i64.xor (local.get $x) (i64.shr_u (local.get $x) (i64.const 7))))
        (local.set $x (i64.xor (local.get $x) (i64.shl (local.get $x) (i64.const 17))))
        (i32.store8 (local.get $at) (i32.wrap_i64 (i64.shr_u (local.get $x) (i64.const 32))))
        (local.set $at (i32.add (local.get $at) (i32.const 1)))
        (local.set $length (i32.sub (local.get $length) (i32.const 1)))
        (br $next)))
    (global.set $random (local.get $x))
    (i32.const 0))

  (func (export "sched_yield") (result i32) (i32.const 0))

  ;; Every subscription of a clock has fired already; those of descriptors too, with "bad descriptor".
  ;; A subscription has 48 bytes: userdata u64, tag u8 at 8. An event has 32: userdata u64, error u16 at 8, type u8 at 10.
  (func (export "poll_oneoff") (param $in i32) (param $out i32) (param $count i32) (param $events i32) (result i32)
    (local $left i32)
    (local.set $left (local.get $count))
    (block $done
      (loop $next
        (br_if $done (i32.eqz (local.get $left)))
        (i64.store (local.get $out) (i64.load (local.get $in)))
        (i64.store offset=8 (local.get $out) (i64.const 0))
        (i64.store offset=16 (local.get $out) (i64.const 0))
        (i64.store offset=24 (local.get $out) (i64.const 0))
        (i32.store8 offset=10 (local.get $out) (i32.load8_u offset=8 (local.get $in)))
        (if (i32.load8_u offset=8 (local.get $in))
          (then (i32.store16 offset=8 (local.get $out) (i32.const 8))))
        (local.set $in (i32.add (local.get $in) (i32.const 48)))
        (local.set $out (i32.add (local.get $out) (i32.const 32)))
        (local.set $left (i32.sub (local.get $left) (i32.const 1)))
        (br $next)))
    (i32.store (local.get $events) (local.get $count))
    (i32.const 0))

  (func (export "proc_exit") (param $code i32) unreachable)
  (func (export "proc_raise") (param $signal i32) (result i32) unreachable)

  ;; --- writing: lines of the log -------------------------------------------------------------------------------------

  (func (export "fd_write") (param $fd i32) (param $parts i32) (param $count i32) (param $written i32) (result i32)
    (local $length i32)
    (local $total i32)
    (if (i32.eqz (i32.or (i32.eq (local.get $fd) (i32.const 1)) (i32.eq (local.get $fd) (i32.const 2))))
      (then (return (i32.const 8))))
    (block $done
      (loop $next
        (br_if $done (i32.eqz (local.get $count)))
        (local.set $length (i32.load offset=4 (local.get $parts)))
        ;; Levels of the log: debug 0, info 1, warn 2, error 3; so a descriptor is its level.
        (call $say (local.get $fd) (i32.load (local.get $parts)) (local.get $length))
        (local.set $total (i32.add (local.get $total) (local.get $length)))
        (local.set $parts (i32.add (local.get $parts) (i32.const 8)))
        (local.set $count (i32.sub (local.get $count) (i32.const 1)))
        (br $next)))
    (i32.store (local.get $written) (local.get $total))
    (i32.const 0))

  ;; Writes every stretch of valid UTF-8 and leaves out what lies between.
  (func $say (param $level i32) (param $from i32) (param $length i32)
    (local $at i32)
    (local $end i32)
    (local $step i32)
    (local.set $at (local.get $from))
    (local.set $end (i32.add (local.get $from) (local.get $length)))
    (block $done
      (loop $next
        (br_if $done (i32.ge_u (local.get $at) (local.get $end)))
        (local.set $step (call $character (local.get $at) (local.get $end)))
        (if (local.get $step)
          (then (local.set $at (i32.add (local.get $at) (local.get $step))))
          (else
            (call $flush (local.get $level) (local.get $from) (local.get $at))
            (local.set $at (i32.add (local.get $at) (i32.const 1)))
            (local.set $from (local.get $at))))
        (br $next)))
    (call $flush (local.get $level) (local.get $from) (local.get $end)))

  (func $flush (param $level i32) (param $from i32) (param $to i32)
    (if (i32.lt_u (local.get $from) (local.get $to))
      (then (call $log (local.get $level) (local.get $from) (i32.sub (local.get $to) (local.get $from))))))

  ;; Bytes of the character at $at; 0 where there is none (RFC 3629 section 4).
  (func $character (param $at i32) (param $end i32) (result i32)
    (local $first i32)
    (local $second i32)
    (local.set $first (i32.load8_u (local.get $at)))
    (if (i32.lt_u (local.get $first) (i32.const 0x80)) (then (return (i32.const 1))))
    (if (i32.lt_u (local.get $first) (i32.const 0xC2)) (then (return (i32.const 0))))
    (if (i32.gt_u (local.get $first) (i32.const 0xF4)) (then (return (i32.const 0))))
    (if (i32.eqz (call $follows (i32.add (local.get $at) (i32.const 1)) (local.get $end))) (then (return (i32.const 0))))
    (if (i32.lt_u (local.get $first) (i32.const 0xE0)) (then (return (i32.const 2))))
    (if (i32.eqz (call $follows (i32.add (local.get $at) (i32.const 2)) (local.get $end))) (then (return (i32.const 0))))
    (local.set $second (i32.load8_u offset=1 (local.get $at)))
    ;; Longer than needed, or a surrogate.
    (if (i32.and (i32.eq (local.get $first) (i32.const 0xE0)) (i32.lt_u (local.get $second) (i32.const 0xA0)))
      (then (return (i32.const 0))))
    (if (i32.and (i32.eq (local.get $first) (i32.const 0xED)) (i32.gt_u (local.get $second) (i32.const 0x9F)))
      (then (return (i32.const 0))))
    (if (i32.lt_u (local.get $first) (i32.const 0xF0)) (then (return (i32.const 3))))
    (if (i32.eqz (call $follows (i32.add (local.get $at) (i32.const 3)) (local.get $end))) (then (return (i32.const 0))))
    ;; Longer than needed, or over U+10FFFF.
    (if (i32.and (i32.eq (local.get $first) (i32.const 0xF0)) (i32.lt_u (local.get $second) (i32.const 0x90)))
      (then (return (i32.const 0))))
    (if (i32.and (i32.eq (local.get $first) (i32.const 0xF4)) (i32.gt_u (local.get $second) (i32.const 0x8F)))
      (then (return (i32.const 0))))
    (i32.const 4))

  (func $follows (param $at i32) (param $end i32) (result i32)
    (if (i32.ge_u (local.get $at) (local.get $end)) (then (return (i32.const 0))))
    (i32.eq (i32.and (i32.load8_u (local.get $at)) (i32.const 0xC0)) (i32.const 0x80)))

  ;; --- descriptors 0, 1, 2: something that is there and does nothing -------------------------------------------------

  ;; End of input.
  (func (export "fd_read") (param $fd i32) (param $parts i32) (param $count i32) (param $read i32) (result i32)
    (if (local.get $fd) (then (return (i32.const 8))))
    (i32.store (local.get $read) (i32.const 0))
    (i32.const 0))

  ;; fdstat, 24 bytes: type u8 (2: character device), flags u16 at 2, rights u64 at 8 and 16.
  (func (export "fd_fdstat_get") (param $fd i32) (param $stat i32) (result i32)
    (if (i32.gt_u (local.get $fd) (i32.const 2)) (then (return (i32.const 8))))
    (i64.store (local.get $stat) (i64.const 2))
    (i64.store offset=8 (local.get $stat) (i64.const 0x42))
    (i64.store offset=16 (local.get $stat) (i64.const 0))
    (i32.const 0))

  ;; filestat, 64 bytes: device, inode, type u8 at 16, links, size, three times.
  (func (export "fd_filestat_get") (param $fd i32) (param $stat i32) (result i32)
    (local $offset i32)
    (if (i32.gt_u (local.get $fd) (i32.const 2)) (then (return (i32.const 8))))
    (loop $next
      (i64.store (i32.add (local.get $stat) (local.get $offset)) (i64.const 0))
      (local.set $offset (i32.add (local.get $offset) (i32.const 8)))
      (br_if $next (i32.lt_u (local.get $offset) (i32.const 64))))
    (i32.store8 offset=16 (local.get $stat) (i32.const 2))
    (i32.const 0))

  (func (export "fd_fdstat_set_flags") (param $fd i32) (param $flags i32) (result i32)
    (if (result i32) (i32.gt_u (local.get $fd) (i32.const 2)) (then (i32.const 8)) (else (i32.const 0))))

  (func $badf_1 (param i32) (result i32) (i32.const 8))
  (func $badf_2 (param i32 i32) (result i32) (i32.const 8))
  (export "fd_close" (func $badf_1))
  (export "fd_sync" (func $badf_1))
  (export "fd_datasync" (func $badf_1))
  (export "fd_prestat_get" (func $badf_2))
  (export "fd_renumber" (func $badf_2))
  (func (export "fd_prestat_dir_name") (param i32 i32 i32) (result i32) (i32.const 8))
  (func (export "fd_fdstat_set_rights") (param i32 i64 i64) (result i32) (i32.const 8))
  (func (export "fd_filestat_set_size") (param i32 i64) (result i32) (i32.const 8))
  (func (export "fd_filestat_set_times") (param i32 i64 i64 i32) (result i32) (i32.const 8))
  (func (export "fd_advise") (param i32 i64 i64 i32) (result i32) (i32.const 8))
  (func (export "fd_allocate") (param i32 i64 i64) (result i32) (i32.const 8))
  (func (export "fd_tell") (param i32 i32) (result i32) (i32.const 8))
  (func (export "fd_seek") (param i32 i64 i32 i32) (result i32) (i32.const 8))
  (func (export "fd_pread") (param i32 i32 i32 i64 i32) (result i32) (i32.const 8))
  (func (export "fd_pwrite") (param i32 i32 i32 i64 i32) (result i32) (i32.const 8))
  (func (export "fd_readdir") (param i32 i32 i32 i64 i32) (result i32) (i32.const 8))

  ;; --- files and sockets: none ---------------------------------------------------------------------------------------

  (func (export "path_create_directory") (param i32 i32 i32) (result i32) (i32.const 8))
  (func (export "path_filestat_get") (param i32 i32 i32 i32 i32) (result i32) (i32.const 8))
  (func (export "path_filestat_set_times") (param i32 i32 i32 i32 i64 i64 i32) (result i32) (i32.const 8))
  (func (export "path_link") (param i32 i32 i32 i32 i32 i32 i32) (result i32) (i32.const 8))
  (func (export "path_open") (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32) (i32.const 8))
  (func (export "path_readlink") (param i32 i32 i32 i32 i32 i32) (result i32) (i32.const 8))
  (func (export "path_remove_directory") (param i32 i32 i32) (result i32) (i32.const 8))
  (func (export "path_rename") (param i32 i32 i32 i32 i32 i32) (result i32) (i32.const 8))
  (func (export "path_symlink") (param i32 i32 i32 i32 i32) (result i32) (i32.const 8))
  (func (export "path_unlink_file") (param i32 i32 i32) (result i32) (i32.const 8))
  (func (export "sock_accept") (param i32 i32 i32) (result i32) (i32.const 8))
  (func (export "sock_recv") (param i32 i32 i32 i32 i32 i32) (result i32) (i32.const 8))
  (func (export "sock_send") (param i32 i32 i32 i32 i32) (result i32) (i32.const 8))
  (func (export "sock_shutdown") (param i32 i32) (result i32) (i32.const 8))
)
