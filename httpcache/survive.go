package httpcache

import "time"

// Survivor judges whether a response may be kept as a copy that stands in for an origin that can't be reached, and returns what is to be known
// of it. That is by agreement with the owner of the site beforehand, as RFC 9111 §4.2.4 allows it, and goes further than [Store]: such a copy
// needs neither freshness nor a validator, and no-cache and must-revalidate do not forbid it. It is what anybody gets: never what says no-store
// or private, in whichever field, and never an answer to a request with Cookie or Authorization. Set-Cookie is no obstacle, but must not be kept.
func Survivor(req *Request, resp *Response, requestTime, responseTime time.Time) (m Metadata, ok bool) {
	d, general := governing(resp.Fields), parseResponseDirectives(resp.Fields)
	switch {
	case req.Method != "GET", resp.Status != 200, d.malformed, d.noStore, d.private, general.malformed, general.noStore, general.private,
		has(req.Fields, "Cookie"), has(req.Fields, "Authorization"):
		return Metadata{}, false
	}
	return describe(resp, &d, requestTime, responseTime), true
}
