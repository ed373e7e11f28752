// Package loop serves sockets from event loops, and runs code that waits for them on coroutines.
//
// A [Loop] is one goroutine that asks the kernel which of its sockets are ready (epoll, edge-triggered) and calls their handlers. Its epoll
// descriptor is itself watched by the runtime's poller, so that a loop with nothing to do parks as any goroutine does and holds no thread.
// A socket that nobody works on costs its [Conn] and nothing else: no goroutine, no buffer.
//
// Work that has to wait is written as plain blocking code and runs as a [Task]: a coroutine of its loop, which gives the loop its time while
// it waits for a [Conn], and costs two switches of some 100 ns instead of a pass through the scheduler. Where it has to wait for anything
// else (a channel, a lock that is held for long, a name to be resolved), it calls [Task.Leave] first and is a goroutine from then on.
//
// A handler that has done much of its work and not all of it yields ([Conn.Yield]), and goes on after others.
//
// A connection has one owner at a time, a handler on the loop or a task; methods that anyone may call say so. Whatever is kept is bounded by
// the number of connections. Where the kernel has no epoll, [New] fails with [errors.ErrUnsupported].
package loop
