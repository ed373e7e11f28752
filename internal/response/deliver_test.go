package response

import (
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/seawall/seawall/httpcache"
	"github.com/seawall/seawall/internal/flow"
)

func TestFieldsOfOriginsMessage(t *testing.T) {
	own := fields("Via", "1.1 edge1", "Cache-Status", `edge1; fwd=method; detail="method is not GET or HEAD"`, "X-Request-Id", "id")
	date := fields("Date", t0Date)
	tests := []struct {
		name   string
		status int
		sent   []flow.Field
		want   []flow.Field // before our own
	}{
		{"Date is added", 200, fields("Server", "x"), append(fields("Server", "x"), date...)},
		{"Date is kept", 200, fields("date", "Sun, 22 Nov 2026 20:00:00 GMT"), fields("date", "Sun, 22 Nov 2026 20:00:00 GMT")},
		{"9110 §7.6.1 fields of one connection", 200,
			fields("Connection", "keep-alive", "Keep-Alive", "5", "Proxy-Connection", "close", "TE", "trailers", "Upgrade", "h2c", "Transfer-Encoding", "chunked", "Proxy-Authenticate", "Basic", "Content-Length", "2", "A", "1"),
			append(fields("A", "1"), date...)},
		{"9110 §7.6.1 nominated by any Connection line, in any case", 200,
			fields("X-One", "1", "Connection", "close, x-ONE", "X-Two", "2", "connection", ", X-two ,", "X-Three", "3"),
			append(fields("X-Three", "3"), date...)},
		{"9110 §7.6.1 nominated Date", 200, fields("Date", "Sun, 22 Nov 2026 20:00:00 GMT", "Connection", "date"), date},
		{"more nominations than anybody needs", 200,
			append(fields("Connection", strings.Repeat("a,", 10000)+"x"), fields("A", "1", "X", "2")...), append(fields("X", "2"), date...)},
		{"9110 §15.2.2 Upgrade of a 101, although it is nominated", 101, fields("Connection", "Upgrade", "Upgrade", "websocket", "Sec-WebSocket-Accept", "x"),
			append(fields("Upgrade", "websocket", "Sec-WebSocket-Accept", "x"), date...)},
		{"9111 §5.1 Age of a cache behind", 200, fields("Age", "7"), append(fields("Age", "7"), date...)},
		{"9110 §15.4.5 the origin's 304 is passed on as it is", 304, fields("Content-Type", "text/html", "ETag", `"a"`), append(fields("Content-Type", "text/html", "ETag", `"a"`), date...)},
		{"9110 §15.3.7 the origin's 206 is passed on as it is", 206, fields("Content-Range", "bytes 0-1/2"), append(fields("Content-Range", "bytes 0-1/2"), date...)},
		{"our ids only", 200, fields("X-Request-Id", "theirs"), date},
		{"Trailer without trailers", 200, fields("Trailer", "X-Checksum"), date},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := request("POST")
			fromOrigin(f, tt.status, "ok", tt.sent...)
			x := write(t, f)
			want := append(append([]flow.Field{}, tt.want...), own...)
			want[len(want)-1].Value = f.Request.ID.String()
			if diff := cmp.Diff(want, x.fields); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
			if x.status != tt.status || f.Response.Status != tt.status {
				t.Errorf("got status %d, recorded %d, want %d", x.status, f.Response.Status, tt.status)
			}
			if diff := cmp.Diff(x.fields, f.Response.Fields); diff != "" {
				t.Errorf("recorded: -want +got:\n%s", diff)
			}
		})
	}
}

// TestListFieldsFollowTheOrigins: a proxy's members come after those of who is nearer to the origin (RFC 9110 §7.6.3, RFC 9211 §2).
func TestListFieldsFollowTheOrigins(t *testing.T) {
	f := request("POST")
	fromOrigin(f, 200, "ok", fields("Via", "1.1 behind", "Cache-Status", "behind; hit")...)
	got := write(t, f).fields
	for _, tt := range [][2]string{{"Via", "1.1 behind, 1.1 edge1"}, {"Cache-Status", `behind; hit, edge1; fwd=method; detail="method is not GET or HEAD"`}} {
		var values []string
		for _, field := range got {
			if field.Name == tt[0] {
				values = append(values, field.Value)
			}
		}
		if got := strings.Join(values, ", "); got != tt[1] {
			t.Errorf("%s: got %s, want %s", tt[0], got, tt[1])
		}
	}
}

func TestCacheStatusAndAge(t *testing.T) {
	tests := []struct {
		name  string
		cache flow.Cache
		from  flow.Origin
		meta  bool
		want  string
		age   string
	}{
		{name: "hit", cache: flow.Cache{Status: flow.Hit, Reason: "still fresh", Age: 5 * time.Second, TTL: 55 * time.Second}, meta: true,
			want: "edge1; hit; ttl=55", age: "5"},
		{name: "hit, fresh for less than a second", cache: flow.Cache{Status: flow.Hit, TTL: time.Second - 1}, meta: true, want: "edge1; hit; ttl=0", age: "0"},
		{name: "hit that has just expired", cache: flow.Cache{Status: flow.Hit, TTL: -1}, meta: true, want: "edge1; hit; ttl=-1", age: "0"},
		{name: "hit of another's fetch", cache: flow.Cache{Status: flow.Hit, TTL: time.Minute, Collapsed: true}, meta: true,
			want: "edge1; hit; ttl=60; collapsed", age: "0"},
		{name: "miss stored", cache: flow.Cache{Status: flow.Miss, Stored: true}, meta: true, want: "edge1; fwd=miss; stored"},
		{name: "miss of something that was cached behind", cache: flow.Cache{Status: flow.Miss, Stored: true, Age: 100 * time.Second}, meta: true,
			want: "edge1; fwd=miss; stored", age: "100"},
		{name: "miss not stored", cache: flow.Cache{Status: flow.Miss, Reason: "response says no-store"},
			want: `edge1; fwd=miss; detail="response says no-store"`, age: "7"},
		{name: "collapsed", cache: flow.Cache{Status: flow.Miss, Collapsed: true}, meta: true, want: "edge1; fwd=miss; collapsed"},
		{name: "stale, nobody asked", cache: flow.Cache{Status: flow.Stale, TTL: -1500 * time.Millisecond, Age: 60 * time.Second, Reason: "expired"}, meta: true,
			want: "edge1; hit; ttl=-2; detail=expired", age: "60"},
		{name: "stale in place of an error", cache: flow.Cache{Status: flow.Stale, TTL: -time.Second, Age: 60 * time.Second},
			from: flow.Origin{Attempts: 1, Status: 503}, meta: true, want: "edge1; fwd=stale; fwd-status=503; ttl=-1", age: "60"},
		{name: "revalidated", cache: flow.Cache{Status: flow.Revalidated, Stored: true}, from: flow.Origin{Attempts: 1, Status: 304}, meta: true,
			want: "edge1; fwd=stale; fwd-status=304; stored", age: "0"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := request("GET")
			f.Cache, f.Origin = tt.cache, tt.from
			f.Cache.Message = &flow.Message{Status: 200, Body: []byte("ok"), Length: 2}
			if tt.meta {
				f.Cache.Meta = &httpcache.Metadata{Status: 200}
			} else {
				f.Cache.Message.Fields = fields("Age", "7")
			}
			x := write(t, f)
			if got := flow.Get(x.fields, "cache-status"); got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
			if got := flow.Get(x.fields, "age"); got != tt.age {
				t.Errorf("Age: got %q, want %q", got, tt.age)
			}
		})
	}
}

// stored is the header of a stored response, with all that must not be in some answers.
func stored() []flow.Field {
	return fields("Date", t0Date, "ETag", `"a"`, "Last-Modified", "Sun, 22 Nov 2026 20:00:00 GMT", "Cache-Control", "max-age=60", "Expires", "0",
		"Vary", "Accept", "Content-Location", "/index.html", "Content-Type", "text/html", "Content-Language", "de", "Content-Encoding", "gzip",
		"Content-Range", "bytes 7-8/9")
}

// TestFormsOfAStoredResponse: RFC 9111 §4.3.2, and Age by §4.
func TestFormsOfAStoredResponse(t *testing.T) {
	const body = "0123456789"
	whole := "Date ETag Last-Modified Cache-Control Expires Vary Content-Location Content-Type Content-Language Content-Encoding"
	short := "Date ETag Last-Modified Cache-Control Expires Vary Content-Location"
	tests := []struct {
		name         string
		method       string
		fields       []flow.Field
		status       int
		body         string
		length       int64
		names        string // of the message's fields
		contentRange string
	}{
		{"whole", "GET", nil, 200, body, 10, whole + " Content-Range", "bytes 7-8/9"},
		{"HEAD", "HEAD", nil, 200, "", 10, whole + " Content-Range", "bytes 7-8/9"},
		{"If-None-Match", "GET", fields("If-None-Match", `"b", W/"a"`), 304, "", 0, short, ""},
		{"If-None-Match of HEAD", "HEAD", fields("If-None-Match", `"a"`), 304, "", 0, short, ""},
		{"If-None-Match of another", "GET", fields("If-None-Match", `"b"`), 200, body, 10, whole + " Content-Range", "bytes 7-8/9"},
		{"If-Modified-Since", "GET", fields("If-Modified-Since", "Sun, 22 Nov 2026 20:00:00 GMT"), 304, "", 0, short, ""},
		{"modified since", "GET", fields("If-Modified-Since", "Sun, 22 Nov 2026 19:00:00 GMT"), 200, body, 10, whole + " Content-Range", "bytes 7-8/9"},
		{"a range", "GET", fields("Range", "bytes=2-4"), 206, "234", 3, whole, "bytes 2-4/10"},
		{"the last bytes", "GET", fields("Range", "bytes=-3"), 206, "789", 3, whole, "bytes 7-9/10"},
		{"a range under a condition", "GET", fields("Range", "bytes=2-4", "If-Range", `"a"`), 206, "234", 3, whole, "bytes 2-4/10"},
		{"a range of another version", "GET", fields("Range", "bytes=2-4", "If-Range", `"b"`), 200, body, 10, whole + " Content-Range", "bytes 7-8/9"},
		{"a range beyond the end", "GET", fields("Range", "bytes=10-"), 416, "", 0, "Date ETag Last-Modified Vary Content-Location", "bytes */10"},
		{"304 before a range", "GET", fields("Range", "bytes=2-4", "If-None-Match", `"a"`), 304, "", 0, short, ""},
		{"several ranges", "GET", fields("Range", "bytes=0-0,2-4"), 200, body, 10, whole + " Content-Range", "bytes 7-8/9"},
		{"a range of HEAD", "HEAD", fields("Range", "bytes=2-4"), 200, "", 10, whole + " Content-Range", "bytes 7-8/9"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := request(tt.method, tt.fields...)
			fromCache(t, f, 200, body, stored()...)
			x := write(t, f)
			if got := strings.Join(x.pieces, ""); x.status != tt.status || got != tt.body || x.length != tt.length {
				t.Errorf("got %d with %q of %d, want %d with %q of %d", x.status, got, x.length, tt.status, tt.body, tt.length)
			}
			if !x.finished || f.Response.Err != nil || f.Response.Bytes != int64(len(tt.body)) || f.Response.Status != tt.status {
				t.Errorf("got %+v, want it finished", f.Response)
			}
			var names, ranges []string
			for _, field := range x.fields {
				names = append(names, field.Name)
				if field.Name == "Content-Range" {
					ranges = append(ranges, field.Value)
				}
			}
			if got := strings.Join(ranges, " and "); got != tt.contentRange {
				t.Errorf("Content-Range: got %q, want %q", got, tt.contentRange)
			}
			want := tt.names
			if tt.contentRange != "" && !strings.HasSuffix(want, "Content-Range") {
				want += " Content-Range"
			}
			want += " Age Via Cache-Status X-Request-Id"
			if diff := cmp.Diff(strings.Fields(want), names); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

// TestTagOfNotModified: who has a coded form, which is not here any more, is told that by its tag.
func TestTagOfNotModified(t *testing.T) {
	for _, tt := range []struct {
		negotiable bool
		asked      string
		want       string
	}{
		{true, `W/"a"`, `W/"a"`},
		{true, `"a"`, `"a"`},
		{false, `W/"a"`, `"a"`},
	} {
		f := request("GET", fields("If-None-Match", tt.asked)...)
		fromCache(t, f, 200, "body", stored()...)
		if tt.negotiable {
			f.Cache.Meta.Negotiable()
		}
		x := write(t, f)
		var tags []string
		for _, field := range x.fields {
			if field.Name == "ETag" {
				tags = append(tags, field.Value)
			}
		}
		if got := strings.Join(tags, " and "); x.status != 304 || got != tt.want {
			t.Errorf("%s, negotiable %v: got %d with %s, want %s", tt.asked, tt.negotiable, x.status, got, tt.want)
		}
	}
}

// TestOnlyStoredResponsesAreJudged: what the origin answered to conditions and ranges is its own affair (RFC 9111 §4.3.2).
func TestOnlyStoredResponsesAreJudged(t *testing.T) {
	asked := fields("If-None-Match", `"a"`, "Range", "bytes=0-0")
	f := request("GET", asked...)
	fromOrigin(f, 200, "whole", fields("ETag", `"a"`)...)
	if x := write(t, f); x.status != 200 || strings.Join(x.pieces, "") != "whole" {
		t.Errorf("from the origin: got %d with %q", x.status, x.pieces)
	}
	f = request("GET", asked...)
	fromCache(t, f, 404, "nothing", stored()...)
	if x := write(t, f); x.status != 404 || strings.Join(x.pieces, "") != "nothing" {
		t.Errorf("a stored 404: got %d with %q", x.status, x.pieces)
	}
}

func TestStreams(t *testing.T) {
	trailers := fields("X-Checksum", "1")
	tests := []struct {
		name     string
		method   string
		status   int
		length   int64
		body     fakeBody
		failAt   int
		want     []string
		bytes    int64
		trailers []flow.Field
		err      error
	}{
		{name: "the end with the last piece", body: fakeBody{pieces: []string{"a", "bc"}, end: io.EOF, together: true}, length: 3, want: []string{"a", "bc"}, bytes: 3},
		{name: "the end after the last piece", body: fakeBody{pieces: []string{"a", "bc"}, end: io.EOF, trailers: trailers}, length: -1, want: []string{"a", "bc"}, bytes: 3, trailers: trailers},
		{name: "empty", body: fakeBody{end: io.EOF}},
		{name: "HEAD", method: "HEAD", body: fakeBody{pieces: []string{"a"}, end: io.EOF}, length: 1},
		{name: "304", status: 304, body: fakeBody{end: io.EOF}},
		{name: "204", status: 204, body: fakeBody{end: io.EOF}},
		{name: "truncated", body: fakeBody{pieces: []string{"a"}, end: io.ErrUnexpectedEOF}, length: 3, want: []string{"a"}, bytes: 1, err: io.ErrUnexpectedEOF},
		{name: "truncated at once", body: fakeBody{end: io.ErrUnexpectedEOF}, length: 3, err: io.ErrUnexpectedEOF},
		{name: "the client goes before the head", failAt: 1, body: fakeBody{pieces: []string{"a"}, end: io.EOF}, length: 1, err: errOut},
		{name: "the client goes within the body", failAt: 3, body: fakeBody{pieces: []string{"a", "b", "c"}, end: io.EOF}, length: 3, want: []string{"a", "b"}, bytes: 1, err: errOut},
		{name: "the client goes at the end", failAt: 3, body: fakeBody{pieces: []string{"a"}, end: io.EOF, together: true}, length: 1, want: []string{"a"}, bytes: 1, err: errOut},
		{name: "101 whose head can't be written", status: 101, failAt: 1, err: errOut},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if tt.method == "" {
				tt.method = "GET"
			}
			if tt.status == 0 {
				tt.status = 200
			}
			f := request(tt.method)
			m := fromOrigin(f, tt.status, "", fields("Trailer", "X-Checksum")...)
			m.Length, m.Stream = tt.length, &tt.body
			f.Exchange.(*fakeExchange).failAt = tt.failAt
			x := write(t, f)
			if diff := cmp.Diff(tt.want, x.pieces); diff != "" {
				t.Errorf("pieces: -want +got:\n%s", diff)
			}
			if diff := cmp.Diff(tt.trailers, x.trailers); diff != "" {
				t.Errorf("trailers: -want +got:\n%s", diff)
			}
			if !errors.Is(f.Response.Err, tt.err) || x.finished != (tt.err == nil) || f.Response.Bytes != tt.bytes {
				t.Errorf("got error %v, finished %v, %d bytes; want %v and %d", f.Response.Err, x.finished, f.Response.Bytes, tt.err, tt.bytes)
			}
			if tt.err == nil && len(tt.want) > 0 && !x.last {
				t.Error("the last piece was not flagged")
			}
			if tt.body.closed != 1 {
				t.Errorf("the stream was closed %d times, want once", tt.body.closed)
			}
			announced := flow.Get(x.fields, "trailer") != ""
			if want := tt.length < 0; announced != want {
				t.Errorf("Trailer announced: got %v, want %v", announced, want)
			}
		})
	}
}

// TestTunnelStaysOpen: behind a 101 the stream is origin's to go on with.
func TestTunnelStaysOpen(t *testing.T) {
	f := request("GET", fields("Upgrade", "websocket")...)
	body := &fakeBody{}
	fromOrigin(f, 101, "", fields("Upgrade", "websocket", "Connection", "upgrade")...).Stream = body
	x := write(t, f)
	if x.status != 101 || x.finished || f.Response.Err != nil || body.closed != 0 {
		t.Errorf("got status %d, finished %v, error %v, closed %d times; want an open 101", x.status, x.finished, f.Response.Err, body.closed)
	}
	if got := flow.Get(x.fields, "upgrade"); got != "websocket" {
		t.Errorf("Upgrade: got %q", got)
	}
}

// TestGrowingResponse: what is just being stored is streamed, but its conditions are judged.
func TestGrowingResponse(t *testing.T) {
	f := request("GET", fields("Range", "bytes=0-0")...)
	m := fromCache(t, f, 200, "", stored()...)
	body := &fakeBody{pieces: []string{"ab", "c"}, end: io.EOF}
	m.Body, m.Stream, m.Length = nil, body, -1
	if x := write(t, f); x.status != 200 || strings.Join(x.pieces, "") != "abc" || body.closed != 1 {
		t.Errorf("got %d with %q, closed %d times", x.status, x.pieces, body.closed)
	}
	f.Request.Fields = fields("If-None-Match", `"a"`)
	f.Exchange, body.closed = &fakeExchange{}, 0
	if x := write(t, f); x.status != 304 || len(x.pieces) != 0 || body.closed != 1 {
		t.Errorf("got %d with %q, closed %d times", x.status, x.pieces, body.closed)
	}
}

func TestMessagesWinOverRefusals(t *testing.T) {
	f := request("GET")
	fromCache(t, f, 200, "stale", stored()...)
	f.Cache.Status = flow.Stale
	f.Origin.Refusal = &flow.Refusal{Reason: flow.OriginTimeout, Status: 504}
	if x := write(t, f); x.status != 200 || strings.Join(x.pieces, "") != "stale" {
		t.Errorf("got %d with %q", x.status, x.pieces)
	}
}

func TestDate(t *testing.T) {
	r := policy(t).room
	for _, tt := range []struct {
		name string
		at   time.Time
		want string
	}{
		{"the first", t0, t0Date},
		{"the same second", t0.Add(999 * time.Millisecond), t0Date},
		{"a later one", t0.Add(3 * time.Second), "Sun, 22 Nov 2026 21:22:31 GMT"},
		{"a flow that waited", t0, "Sun, 22 Nov 2026 21:22:31 GMT"},
		{"the clock was put back", t0.Add(-time.Hour), "Sun, 22 Nov 2026 20:22:28 GMT"},
	} {
		if got := r.dateAt(tt.at); got != tt.want {
			t.Errorf("%s: got %s, want %s", tt.name, got, tt.want)
		}
	}
}

// lent counts how often it is given back.
type lent struct{ returned int }

func (l *lent) Return() { l.returned++ }

// A body that is lent is given back once, whatever of it is sent, and also if nothing can be.
func TestLent(t *testing.T) {
	const body = "0123456789"
	several := strings.Repeat(body, 1000)
	for _, tt := range []struct {
		name, method, body string
		fields             []flow.Field
		status             int
		file               bool
		failAt             int
		sent               int64
	}{
		{"whole", "GET", body, nil, 200, false, 0, 10},
		{"HEAD", "HEAD", body, nil, 200, false, 0, 0},
		{"not modified", "GET", body, fields("If-None-Match", `"a"`), 304, false, 0, 0},
		{"a range", "GET", body, fields("Range", "bytes=2-4"), 206, false, 0, 3},
		{"several ranges", "GET", several, fields("Range", "bytes=0-0,2-4"), 206, false, 0, 218},
		{"a range beyond the end", "GET", body, fields("Range", "bytes=10-"), 416, false, 0, 0},
		{"the head fails", "GET", body, nil, 200, false, 1, 0},
		{"the body fails", "GET", body, nil, 200, false, 2, 0},
		{"a file", "GET", body, nil, 200, true, 0, 10},
		{"HEAD of a file", "HEAD", body, nil, 200, true, 0, 0},
		{"a file not modified", "GET", body, fields("If-None-Match", `"a"`), 304, true, 0, 0},
		{"a file that fails", "GET", body, nil, 200, true, 2, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := request(tt.method, tt.fields...)
			m := fromCache(t, f, 200, tt.body, stored()...)
			var l lent
			m.Loan = &l
			if tt.file {
				m.Body, m.File = nil, flow.FilePart{Length: int64(len(tt.body))}
			}
			f.Exchange.(*fakeExchange).failAt = tt.failAt
			write(t, f)
			if r := f.Response; r.Status != tt.status || r.Bytes != tt.sent || l.returned != 1 || (r.Err != nil) != (tt.failAt > 0) {
				t.Errorf("got %d, %d bytes, %v, returned %d times, want %d, %d bytes, returned once", r.Status, r.Bytes, r.Err, l.returned, tt.status, tt.sent)
			}
		})
	}
}
