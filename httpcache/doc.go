// Package httpcache makes the decisions of a shared HTTP cache (RFC 9111) and nothing else: it has no storage, no clock
// and does no I/O. Time, requests and responses are arguments, so every decision can be replayed and explained.
//
// The life of a response:
//
//   - [Store] judges whether it may be stored and computes its [Metadata], which is all that later decisions need;
//     [Metadata.StoredFields] says which fields are kept with it, and [Policy.AppendVaryKey] under which secondary key.
//   - [Metadata.Decide] judges it against a request: Fresh, Stale, Revalidate, Miss or Forbid, with a [Reason].
//   - [Metadata.NotModified] and then [Metadata.Range] say which form of it answers a conditional or range request.
//   - [ParseAcceptEncoding] and [AcceptEncoding.Prefer] say in which [Coding] the client gets it, if [Transformable] allows one;
//     [CodedFields] and [Metadata.Coded] describe that form.
//   - [Metadata.Validators] makes the fields that ask the origin whether it is still good. After a 304 for which
//     [Metadata.Freshens] holds, [Merge] the fields and [Store] the result anew.
//   - [Invalidated] lists what an unsafe request has made untrustworthy.
//   - [Decision.CacheStatus] and [CacheStatus.Append] tell the client what was done (RFC 9211).
//
// The cache is in front of somebody's origin, and the clients may be attackers. So what a client sends may spare the
// origin work but may not cause it any, unless [Policy] says otherwise: max-stale and only-if-cached are always honoured,
// no-cache, no-store, max-age and min-fresh are advisory (RFC 9111 §5.2.1) and ignored by default. Pragma is deprecated
// (§5.4) and always ignored. A request with Authorization may be answered from the cache, because what a response to such
// a request needs is permission to be stored (§3.5); otherwise any made-up credentials would be a way past the cache.
//
// Where a message is broken, the reading that reuses less wins (§4.2.1):
//
//   - of duplicate max-age, s-maxage, stale-while-revalidate or stale-if-error the lowest counts; one that is not
//     delta-seconds counts as 0; both token and quoted form are read; seconds saturate at 2^31 (§1.2.2);
//   - private and no-cache with field names keep those fields from later clients, and count as without names if the rest of the
//     response would be read otherwise without them (§5.2.2.4, §5.2.2.7 allow it);
//   - a Cache-Control field whose quoting is broken could hide a directive, so the response is not stored;
//   - an Expires that is no date, or that is repeated, lies in the past; a missing, repeated or broken Date is replaced by
//     the time the response was received (RFC 9110 §6.6.1);
//   - of a repeated Age the first counts, and an unreadable one is ignored (§5.1), though that makes an old response look new:
//     [Policy] can have it count as stale;
//   - a targeted field (RFC 9213) that is no Dictionary is as if it were not there, and of a repeated key in one that is the last
//     counts: that is how structured fields are read;
//   - a broken or repeated ETag or Last-Modified is no validator; a Vary that is broken or names more than 16 fields
//     counts as "*".
//
// s-maxage implies proxy-revalidate (§5.2.2.10), so it forbids serving stale, whatever stale-while-revalidate says:
// origins that want both send max-age.
//
// A response with Set-Cookie is not stored, even if it says public or s-maxage. RFC 9111 §7.3 leaves that to the origin,
// but session middleware adds cookies to responses whose authors called them public, and one visitor's session handed to
// all others is the worst a cache can do. nginx, Varnish and Cloudflare refuse too. [Policy] can allow it, and so can the origin:
// with private="Set-Cookie" the cookie is kept from others and the rest is stored.
//
// The origin governs this cache by Seawall-Cache-Control, else by CDN-Cache-Control (RFC 9213), else by Surrogate-Control, else by
// Cache-Control and Expires: the first that is valid, and it alone.
//
// Bounds: nothing is kept between calls; every function is linear in the size of its arguments, and the fields of a
// message are bounded by whoever parsed it. Nothing here fails or panics: what cannot be understood is not stored or not
// reused. All functions may be called at the same time from several goroutines.
package httpcache
