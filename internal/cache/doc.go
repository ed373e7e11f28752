// Package cache answers requests from memory, or from the disk below it, and lets many requests for one object share one fetch from the
// origin.
//
// It learns the request in its normal form, the zone's wishes and, after a fetch, the origin's response; what may be stored and
// reused is decided by httpcache (RFC 9111). It writes flow.Cache and nothing else, except that it lends a flow that leads a
// fetch another Abort until [Policy.Keep] or [Policy.Abandon].
//
// The order of calls is: [Policy.Lookup], which never waits. Unless that found an answer or a refusal, [Policy.Join], which may
// wait and says whether this flow leads a fetch, was served, or goes on by itself. After [Lead] follows [Policy.Keep] (the origin
// has answered) or [Policy.Abandon] (it has not; after Keep it does nothing, so it may be deferred). After [Pass] and
// an answer follow [Policy.Invalidate] and [Policy.Learn], and after all of them [Policy.Compress]. A message with a Stream must be closed.
//
// # Stored objects
//
// One store serves all zones of a node. A key is zone, scheme, host, path and query, hashed with a secret seed; the
// whole text is kept and compared, so that a collision is a miss. Scheme is part of it because a site's redirect from http to
// https must not answer https. A response with Vary is found by way of a marker, stored under the key, that names the fields;
// the response itself lies under a hash of the key and those fields' values. At most [maxVariants] variants of a key are kept,
// the oldest makes room: whoever invents values costs fetches, which are limited elsewhere, but cannot lock others out.
//
// What ranges have brought of a response that is not there whole lies under a key of its own, as an incomplete object: at most
// [maxSpans] pieces of one variant. It answers requests for ranges within a piece, and becomes an object like others when nothing of
// it is missing (RFC 9111 §3.3, §3.4).
//
// Zones do not see each other's objects, yet share the store: a zone that fills it evicts others' objects, those first that are
// asked for least.
//
// # Coded forms
//
// An entry of a type that compresses can have forms of its body in gzip, br and zstd. A hit whose client takes one gets it if it is there;
// else it gets the body as it is, or the next best form, and the form is made on the node's workers (see [Room.UseWorkers]): at a fast
// level first, and with more care after [hotHits] hits. Forms are in the entry's weight. Adding one replaces the entry by a copy, if it
// still is what the store has, so that entries stay immutable, and no form outlives its body. One that saves less than a twentieth is
// not tried again. A form's entity-tag is weak, and ranges are taken from the body as it was stored, unless its client refuses that: see
// httpcache. What is not stored is coded on its way, piece by piece ([Policy.Compress]), as long as there is nothing more important to do.
//
// Variants that the origin itself makes by Accept-Encoding lie under the normal form of that field, with which the origin is asked.
//
// # The disk
//
// With a folder, what is stored in memory is queued to be written there, too (package store), and a miss in memory asks the disk's index.
// Lookup reads bodies of up to [promptRead] that the page cache has; for others, Join leaves the loop, and one read serves all who ask for
// that object meanwhile. They come into memory, but fresh bodies above [streamFrom] are sent block by block. Where memory is full, what
// Lookup reads is lent for one answer (lend.go), or the kernel sends it, and gets a place in memory when it is asked for again soon. Keys there are hashes with a
// secret of the folder's. A variant's has its marker's generation in it, as in memory: with the marker, all of them are gone.
//
// What replaces an entry, or drops it, has the disk forget it first, and waits for the note of that. So after a kill the next process
// finds what was in force, or nothing. What has been read comes into memory under its shard's lock, and only if the disk has it still:
// who has the disk forget something takes that lock before anything else is stored in its place.
//
// Survival copies (survive.go) have a part of the disk for themselves (copies.go). They are looked for there when the origin has failed.
//
// At an upgrade the old process closes the folder just before it gives the node away, and the new one opens it then. What the old one
// drops later it notes in the folder all the same, as well as telling the new one.
//
// # Fetches
//
// A [fill] is one fetch that others may wait for. It has one mutex and goes through these states:
//
//	fetching → growing → complete
//	         ↘ refused ↘ window → over
//
// While fetching, one flow leads and others wait for the head. If the leader can't fetch, the one that has waited longest leads
// next, so that a refusal costs one wake-up and not a stampede. With a storable head the fill grows: any number of readers
// follow at their own speed, the fetch waits for none of them. One that is too large for memory, and says so before, grows on the disk (spool.go), if
// there is one: its readers read from there. A body that turns out too large for the cache becomes a window:
// nobody new may join, and the fetch stays at most [windowSize] ahead of its slowest reader. A response that may not be shared
// refuses: waiters fetch on their own, and the key is remembered for seconds so that nobody queues behind it ("hit for miss":
// they may still store). A fill without a single interested client is cancelled, unless half of its body has come. Within
// stale-while-revalidate (RFC 5861 §3) one request revalidates and those that come meanwhile get the stale object.
//
// Locks are taken in this order: a client's Abort, a shard of the table, a fill, the budget; the stores' and an origin's Abort come last.
// Nothing is read from the disk or noted there with one of them held. Methods of a client's Abort are never called with a lock held.
//
// # Bounds, and how it fails
//
// The bytes of all objects and fetches together stay within spec.Memory.Size, but for moments while evictions catch up and for
// what windows hold, 1 to 3 MiB each. What waits to be written to the disk is a sixteenth of it, or two of the largest objects, and the
// disk's index has 64 bytes an object. At most [diskReads] reads wait for the disk; who waits for one goes to the origin after
// [headWait]. Half of what fetches may use can be lent to answers. A disk that fails is as if there were none. Fetches may have a quarter of it; past that, responses pass through unstored. What
// of the quarter they have no use for is lent to stored objects, and taken back before it is used ([budget]). Requests
// waiting for one fetch are bounded by spec.Cache.Waiters and wait at most [headWait]. Bodies that readers still hold after an
// eviction are bounded by the connections that read them. A truncated body is never stored; its readers get
// io.ErrUnexpectedEOF. When the origin cannot be reached, or its budget is used up, a stale object that nothing forbids
// (RFC 9111 §4.2.4) is served for up to [disconnectedGrace]; the site's owner agrees to that by putting this cache in front. For
// a 5xx answer it takes the origin's own stale-if-error (RFC 5861 §4).
package cache
