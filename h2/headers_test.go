package h2

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"golang.org/x/net/http2/hpack"
)

// TestMalformed has a request for each rule that it breaks. Each costs its stream, and neither the connection nor the
// state of the compression.
func TestMalformed(t *testing.T) {
	const noEnd = "POST"
	m, s, a, p := Field{":method", "GET"}, Field{":scheme", "https"}, Field{":authority", "a.example"}, Field{":path", "/"}
	head := func(f ...Field) []Field { return f }
	with := func(name, value string) []Field { return request("GET", Field{name, value}) }
	connect := Field{":method", "CONNECT"}
	tests := []struct {
		name   string
		fields []Field
	}{
		{"nothing", nil},
		{"no method", head(s, a, p)},
		{"no scheme", head(m, a, p)},
		{"no path", head(m, s, a)},
		{"neither authority nor host", head(m, s, p)},
		{"two methods", head(m, m, s, a, p)},
		{"two schemes", head(m, s, s, a, p)},
		{"two authorities", head(m, s, a, a, p)},
		{"two paths", head(m, s, a, p, p)},
		{"empty method", head(Field{":method", ""}, s, a, p)},
		{"empty scheme", head(m, Field{":scheme", ""}, a, p)},
		{"empty authority", head(m, s, Field{":authority", ""}, p)},
		{"empty path", head(m, s, a, Field{":path", ""})},
		{"unknown pseudo-header field", append(head(m, s, a, p), Field{":version", "2"})},
		{"a response's pseudo-header field", append(head(m, s, a, p), Field{":status", "200"})},
		{"no name but a colon", append(head(m, s, a, p), Field{":", "x"})},
		{"pseudo-header field in upper case", head(Field{":Method", "GET"}, s, a, p)},
		{"pseudo-header field after another", head(m, s, a, Field{"accept", "*/*"}, p)},
		{"pseudo-header field after host", head(m, s, Field{"host", "a.example"}, p)},

		{"method no token", head(Field{":method", "GET x"}, s, a, p)},
		{"method with a line end", head(Field{":method", "GET\r\n"}, s, a, p)},
		{"another scheme", head(m, Field{":scheme", "ftp"}, a, p)},
		{"scheme in upper case", head(m, Field{":scheme", "HTTPS"}, a, p)},
		{"path not absolute", head(m, s, a, Field{":path", "index.html"})},
		{"path with a scheme", head(m, s, a, Field{":path", "https://a.example/"})},
		{"asterisk with GET", head(m, s, a, Field{":path", "*"})},
		{"asterisk and more", head(Field{":method", "OPTIONS"}, s, a, Field{":path", "*/"})},
		{"fragment", head(m, s, a, Field{":path", "/a#b"})},
		{"fragment, later", head(m, s, a, Field{":path", "/0123456789abcdef#"})},
		{"space in path", head(m, s, a, Field{":path", "/ HTTP/1.1"})},
		{"space in path, later", head(m, s, a, Field{":path", "/0123456 "})},
		{"tab in path", head(m, s, a, Field{":path", "/0123456\t89"})},
		{"obs-text in path", head(m, s, a, Field{":path", "/caf\xe9"})},
		{"line end in path", head(m, s, a, Field{":path", "/\r\nx"})},
		{"userinfo", head(m, s, Field{":authority", "me@a.example"}, p)},
		{"space in authority", head(m, s, Field{":authority", "a example"}, p)},
		{"two ports", head(m, s, Field{":authority", "a.example:1:2"}, p)},
		{"empty port", head(m, s, Field{":authority", "a.example:"}, p)},
		{"port too large", head(m, s, Field{":authority", "a.example:65536"}, p)},
		{"port alone", head(m, s, Field{":authority", ":443"}, p)},
		{"path in authority", head(m, s, Field{":authority", "a.example/"}, p)},
		{"no IPv6", head(m, s, Field{":authority", "[a.example]"}, p)},
		{"IPv6 with a zone", head(m, s, Field{":authority", "[fe80::1%25a]"}, p)},
		{"half an IPv6", head(m, s, Field{":authority", "[::1"}, p)},

		{"another host", with("host", "b.example")},
		{"another port", with("host", "a.example:80")},
		{"two hosts", request("GET", Field{"host", "a.example"}, Field{"host", "a.example"})},
		{"a bad host alone", head(m, s, p, Field{"host", "a example"})},
		{"an empty host alone", head(m, s, p, Field{"host", ""})},
		{"an empty host", with("host", "")},

		{"empty name", with("", "x")},
		{"upper case", with("Accept", "*/*")},
		{"upper case, later", with("x-0123456-A", "*/*")},
		{"upper case, a long name", with("x-abcdefgh-Ijklmnop-qrstuv", "*/*")},
		{"space in name", with("x y", "1")},
		{"colon in name", with("x:y", "1")},
		{"obs-text in name", with("x-\xe4", "1")},
		{"line end in name", with("x\r\ny", "1")},
		{"NUL in value", with("x", "a\x00b")},
		{"CR in value", with("x", "a\rb")},
		{"LF in value", with("x", "a\nb")},
		{"line end in a long value", with("x", "0123456789\r\n0123456789")},
		{"DEL in value", with("x", "0123456\x7f")},
		{"space before value", with("x", " a")},
		{"tab after value", with("x", "a\t")},
		{"nothing but space", with("x", " ")},

		{"connection", with("connection", "close")},
		{"keep-alive", with("keep-alive", "timeout=5")},
		{"proxy-connection", with("proxy-connection", "keep-alive")},
		{"transfer-encoding", with("transfer-encoding", "chunked")},
		{"upgrade", with("upgrade", "websocket")},
		{"te", with("te", "gzip")},
		{"te, and more", with("te", "trailers, gzip")},
		{"imitated transfer-encoding", with("transfer_encoding", "chunked")},
		{"imitated content-length", with("content_length", "1")},

		{"content-length, no number", request(noEnd, Field{"content-length", "0x1"})},
		{"content-length, empty", request(noEnd, Field{"content-length", ""})},
		{"content-length, negative", request(noEnd, Field{"content-length", "-1"})},
		{"content-length, signed", request(noEnd, Field{"content-length", "+1"})},
		{"content-length, too large", request(noEnd, Field{"content-length", "9223372036854775808"})},
		{"content-length, a list", request(noEnd, Field{"content-length", "1, 1"})},
		{"content-length, twice", request(noEnd, Field{"content-length", "1"}, Field{"content-length", "1"})},
		{"content-length, and no content", with("content-length", "1")},

		{"CONNECT with scheme and path", request("CONNECT")},
		{"CONNECT with path", head(connect, a, p)},
		{"CONNECT with scheme", head(connect, a, s)},
		{"CONNECT without authority", head(connect)},
		{"CONNECT with host alone", head(connect, Field{"host", "a.example:443"})},
		{"CONNECT and host without port", head(connect, a, Field{"host", "a.example:80"})},
		{"CONNECT with content-length", head(connect, a, Field{"content-length", "0"})},
		{"extended CONNECT", request("CONNECT", Field{":protocol", "websocket"})},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := dial(t, nil)
			flags := uint8(flagEndHeaders | flagEndStream)
			if len(tt.fields) > 0 && tt.fields[0].Value == noEnd {
				flags = flagEndHeaders
			}
			tt.fields = append(tt.fields, Field{"x-kept", "in the table"})
			p.send(raw(typeHeaders, flags, 1, p.encode(tt.fields...)))
			p.want("reset 1 PROTOCOL_ERROR")
			p.send(p.get(3, Field{"x-kept", "in the table"}))
			p.want()
			p.wantTold("headers 3 GET https a.example / x-kept=in the table end")
			if p.err != nil || p.s.Streams() != 1 {
				t.Errorf("got %v and %d streams, want one", p.err, p.s.Streams())
			}
		})
	}
}

// TestMalformedExtended is extended CONNECT where it is taken (RFC 8441).
func TestMalformedExtended(t *testing.T) {
	protocol := Field{":protocol", "websocket"}
	tests := []struct {
		name   string
		fields []Field
	}{
		{"with another method", append(request("GET"), protocol)},
		{"twice", append(request("CONNECT"), protocol, protocol)},
		{"empty", append(request("CONNECT"), Field{":protocol", ""})},
		{"no token", append(request("CONNECT"), Field{":protocol", "web socket"})},
		{"without path", append(request("CONNECT")[:3], protocol)},
		{"with asterisk", append(request("CONNECT")[:3], Field{":path", "*"}, protocol)},
		{"without authority", []Field{{":method", "CONNECT"}, {":scheme", "https"}, {":path", "/"}, protocol}},
		{"with content-length", append(request("CONNECT"), protocol, Field{"content-length", "3"})},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := dial(t, &Settings{ExtendedConnect: true})
			p.send(raw(typeHeaders, flagEndHeaders, 1, p.encode(tt.fields...)))
			p.want("reset 1 PROTOCOL_ERROR")
			p.wantTold()
		})
	}
}

// TestRequests has what is taken, and what the Handler is told.
func TestRequests(t *testing.T) {
	m, s, a, p := Field{":method", "GET"}, Field{":scheme", "https"}, Field{":authority", "a.example"}, Field{":path", "/"}
	with := func(f ...Field) []Field { return request("GET", f...) }
	tests := []struct {
		name   string
		fields []Field
		want   string
	}{
		{"another order", []Field{p, a, s, m}, "GET https a.example / end"},
		{"host alone", []Field{m, s, p, {"host", "A.example:8443"}, {"x", "y"}}, "GET https A.example:8443 / x=y end"},
		{"host as authority", with(Field{"x", "y"}, Field{"host", "a.example"}), "GET https a.example / x=y end"},
		{"host in another case", with(Field{"host", "A.EXAMPLE"}), "GET https a.example / end"},
		{"host with the scheme's port", with(Field{"host", "a.example:443"}), "GET https a.example / end"},
		{"authority with the scheme's port", []Field{m, {":scheme", "http"}, {":authority", "a.example:080"}, p, {"host", "a.example"}}, "GET http a.example:080 / end"},
		{"IPv6", []Field{m, s, {":authority", "[2001:db8::1]:8443"}, p}, "GET https [2001:db8::1]:8443 / end"},
		{"query", []Field{m, s, a, {":path", "/a?b=c&d=%20[|]?/"}}, "GET https a.example /a?b=c&d=%20[|]?/ end"},
		{"asterisk", []Field{{":method", "OPTIONS"}, s, a, {":path", "*"}}, "OPTIONS https a.example * end"},
		{"a method of one's own", []Field{{":method", "pu!rge"}, s, a, p}, "pu!rge https a.example / end"},
		{"te", with(Field{"te", "Trailers"}), "GET https a.example / te=Trailers end"},
		{"repeated", with(Field{"accept", "a"}, Field{"x", ""}, Field{"accept", "b"}), "GET https a.example / accept=a x= accept=b end"},
		{"strange name", with(Field{"x_y.z|!#$%&'*+-^`~0", "1"}), "GET https a.example / x_y.z|!#$%&'*+-^`~0=1 end"},
		{"strange value", with(Field{"x", "a\tb \xff\"caf\xc3\xa9\", and more of it"}), "GET https a.example / x=a\tb \xff\"caf\xc3\xa9\", and more of it end"},
		{"no content", with(Field{"content-length", "0"}), "GET https a.example / content-length=0 end"},
		{"priority", with(Field{"priority", "u=1, i"}), "GET https a.example / priority=u=1, i u=1 i=true end"},
		{"one cookie", with(Field{"cookie", "a=b"}), "GET https a.example / cookie=a=b end"},
		{"crumbs", with(Field{"cookie", "a=b"}, Field{"x", "y"}, Field{"cookie", "c=d; e=f"}, Field{"cookie", "g=h"}, Field{"z", ""}),
			"GET https a.example / cookie=a=b; c=d; e=f; g=h x=y z= end"},
		{"empty crumbs", with(Field{"cookie", ""}, Field{"cookie", "a=b"}, Field{"cookie", ""}), "GET https a.example / cookie=a=b end"},
		{"nothing but empty crumbs", with(Field{"cookie", ""}, Field{"cookie", ""}), "GET https a.example / cookie= end"},
		{"CONNECT", []Field{{":method", "CONNECT"}, {":authority", "a.example:443"}}, "CONNECT  a.example:443  end"},
		{"CONNECT and host", []Field{{":method", "CONNECT"}, {":authority", "a.example:443"}, {"host", "A.example:443"}}, "CONNECT  a.example:443  end"},
		{"extended CONNECT", append(request("CONNECT"), Field{":protocol", "websocket"}, Field{"origin", "x"}), "CONNECT https a.example / protocol=websocket origin=x end"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := dial(t, &Settings{ExtendedConnect: true})
			p.send(raw(typeHeaders, flagEndHeaders|flagEndStream, 1, p.encode(tt.fields...)))
			p.want()
			p.wantTold("headers 1 " + tt.want)
		})
	}
}

// TestRequestNumbers are those of a request's fields that aren't text.
func TestRequestNumbers(t *testing.T) {
	tests := []struct {
		name   string
		end    bool
		more   []Field
		length int64
		bytes  int
	}{
		{"end", true, nil, 0, 4*32 + 10 + 12 + 19 + 6},
		{"unknown length", false, nil, -1, 4*32 + 10 + 12 + 19 + 6},
		{"declared length", false, []Field{{"content-length", "9223372036854775807"}}, 1<<63 - 1, 5*32 + 10 + 12 + 19 + 6 + 33},
		{"no content, but the end is still to come", false, []Field{{"content-length", "0"}}, 0, 5*32 + 10 + 12 + 19 + 6 + 15},
		{"host and crumbs count", true, []Field{{"host", "a.example"}, {"cookie", "a"}, {"cookie", "b"}}, 0, 7*32 + 10 + 12 + 19 + 6 + 13 + 14},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := dial(t, nil)
			var got Request
			p.answer = func(out []byte, r *Request) []byte { got = *r; return out }
			flags := uint8(flagEndHeaders)
			if tt.end {
				flags |= flagEndStream
			}
			p.send(raw(typeHeaders, flags, 1, p.encode(request("GET", tt.more...)...)))
			if got.Length != tt.length || got.Bytes != tt.bytes || got.End != tt.end {
				t.Errorf("got length %d, %d bytes, end %t; want %d, %d, %t", got.Length, got.Bytes, got.End, tt.length, tt.bytes, tt.end)
			}
		})
	}
}

// TestExcess breaks the bounds of Settings: the request is told of with what came before.
func TestExcess(t *testing.T) {
	many := func(n int, name string) (f []Field) {
		for i := range n {
			f = append(f, Field{name, fmt.Sprint(i)})
		}
		return f
	}
	long := strings.Repeat("x", 5000)
	tests := []struct {
		name     string
		settings *Settings
		fields   []Field
		excess   Excess
		kept     int
	}{
		{"as many as may be", &Settings{MaxFields: 5}, request("GET", many(5, "x")...), 0, 5},
		{"too many", &Settings{MaxFields: 5}, request("GET", many(6, "x")...), TooManyFields, 5},
		{"host doesn't count", &Settings{MaxFields: 5}, request("GET", append(many(5, "x"), Field{"host", "a.example"})...), 0, 5},
		{"crumbs are one field", &Settings{MaxFields: 5}, request("GET", append(many(4, "x"), many(20, "cookie")...)...), 0, 5},
		{"crumbs, and too many", &Settings{MaxFields: 5}, request("GET", append(many(20, "cookie"), many(5, "x")...)...), TooManyFields, 5},
		{"a section as large as it may be", &Settings{MaxHeaderList: 175 + 33 + 5000}, request("GET", Field{"x", long}), 0, 1},
		{"a section too large", &Settings{MaxHeaderList: 175 + 33 + 4999}, request("GET", Field{"x", long}, Field{"y", ""}), TooLarge, 0},
		{"too many crumbs", &Settings{MaxHeaderList: 1000}, request("GET", many(50, "cookie")...), TooLarge, 1},
		{"a path too long", &Settings{MaxHeaderList: 1000}, []Field{{":method", "GET"}, {":path", "/" + long}, {":scheme", "https"}}, TooLarge, 0},
		{"a name too long", &Settings{MaxHeaderList: 1000}, request("GET", Field{long, ""}), TooLarge, 0},
		{"malformed beyond", &Settings{MaxFields: 1}, request("GET", Field{"x", ""}, Field{"y", ""}, Field{"Z", ""}, Field{":path", "/"}), TooManyFields, 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := dial(t, tt.settings)
			var got Request
			p.answer = func(out []byte, r *Request) []byte {
				got = *r
				got.Fields = slices.Clone(r.Fields)
				return p.s.AppendHeaders(out, r.ID, 431, nil, -1, true)
			}
			after := Field{"x-kept", "in the table"}
			if tt.excess != 0 {
				tt.fields = append(tt.fields, after)
			}
			p.send(raw(typeHeaders, flagEndHeaders|flagEndStream, 1, p.encode(tt.fields...)))
			if got.ID != 1 || got.Method != "GET" || got.Excess != tt.excess || len(got.Fields) != tt.kept {
				t.Errorf("got %s with %d fields, want excess %d and %d fields", describe(&got), len(got.Fields), tt.excess, tt.kept)
			}
			p.want("headers 1 :status=431 end")
			p.send(p.get(3, after))
			if p.err != nil || got.ID != 3 || len(got.Fields) != 1 || got.Fields[0] != after {
				t.Errorf("the next request: got %s and %v", describe(&got), p.err)
			}
		})
	}
}

// TestHeaders plays HEADERS and CONTINUATION in each state of a stream.
func TestHeaders(t *testing.T) {
	failed := func(last string, code Code) []string { return []string{"goaway " + last + " " + code.String()} }
	get1, get3, post1 := "headers 1 "+getTold, "headers 3 "+getTold, "headers 1 "+postTold
	trailers := func(p *peer, id uint32, flags uint8, f ...Field) []byte {
		return raw(typeHeaders, flagEndHeaders|flags, id, p.encode(f...))
	}
	noAnswer := func(p *peer) { p.answer = nil }
	tests := []dialogue{
		{"on the connection", func(p *peer) [][]byte { return [][]byte{p.get(0)} },
			failed("0", ProtocolError), nil, ProtocolError, "headers on a stream that a client can't open"},
		{"on a stream of the server's", func(p *peer) [][]byte { return [][]byte{p.get(2)} },
			failed("0", ProtocolError), nil, ProtocolError, "headers on a stream that a client can't open"},
		{"ids go back", func(p *peer) [][]byte { return [][]byte{p.get(3), p.get(1)} },
			failed("3", ProtocolError), []string{get3}, ProtocolError, "stream ids go back"},
		{"ids may be skipped", func(p *peer) [][]byte { return [][]byte{p.get(1), p.get(maxWindow)} },
			nil, []string{get1, "headers 2147483647 " + getTold}, 0, ""},
		{"after the end", func(p *peer) [][]byte { return [][]byte{p.get(1), p.get(1)} },
			[]string{"reset 1 STREAM_CLOSED"}, []string{get1, "reset 1 STREAM_CLOSED"}, 0, ""},
		{"after the client's reset", func(p *peer) [][]byte { return [][]byte{p.get(1), resetFrame(1, Cancel), p.get(1)} },
			[]string{"reset 1 STREAM_CLOSED"}, []string{get1, "reset 1 CANCEL"}, 0, ""},
		{"after the server's reset", func(p *peer) [][]byte {
			p.answer = func(out []byte, r *Request) []byte { noAnswer(p); return p.s.AppendReset(out, r.ID, Cancel) }
			return [][]byte{p.post(1), dataFrame(1, "late", false), trailers(p, 1, flagEndStream, Field{"x", "y"}), p.get(3, Field{"x", "y"})}
		}, []string{"reset 1 CANCEL"}, []string{post1, "headers 3 GET https a.example / x=y end"}, 0, ""},
		{"depends on itself", func(p *peer) [][]byte {
			return [][]byte{raw(typeHeaders, flagEndHeaders|flagEndStream|flagPriority, 1, "\x80\x00\x00\x01\xff"+string(p.encode(request("GET")...))), p.get(3)}
		}, []string{"reset 1 PROTOCOL_ERROR"}, []string{get3}, 0, ""},
		{"padding and priority", func(p *peer) [][]byte {
			return [][]byte{raw(typeHeaders, flagEndHeaders|flagEndStream|flagPriority|flagPadded, 1, "\x03\x80\x00\x00\x00\xff"+string(p.encode(request("GET")...))+"\xff\xff\xff")}
		}, nil, []string{get1}, 0, ""},
		{"too short for a priority", frames(raw(typeHeaders, flagEndHeaders|flagPriority, 1, "\x80\x00\x00\x00")),
			failed("0", FrameSizeError), nil, FrameSizeError, "headers too short for their priority"},
		{"padded without pad length", frames(raw(typeHeaders, flagEndHeaders|flagPadded, 1, "")),
			failed("0", FrameSizeError), nil, FrameSizeError, "padded frame without pad length"},
		{"padding longer than the frame", frames(raw(typeHeaders, flagEndHeaders|flagPadded, 1, "\x02\x82")),
			failed("0", ProtocolError), nil, ProtocolError, "padding longer than the frame"},

		{"continued", func(p *peer) [][]byte {
			b := p.encode(request("GET")...)
			return [][]byte{raw(typeHeaders, flagEndStream, 1, b[:1]), raw(typeContinuation, 0, 1, b[1:3]), raw(typeContinuation, flagEndHeaders, 1, b[3:]), p.get(3)}
		}, nil, []string{get1, get3}, 0, ""},
		{"continued, padded, with nothing in the first frame", func(p *peer) [][]byte {
			return [][]byte{raw(typeHeaders, flagEndStream|flagPadded, 1, "\x02\x00\x00"), raw(typeContinuation, flagEndHeaders, 1, p.encode(request("GET")...))}
		}, nil, []string{get1}, 0, ""},
		{"continued on another stream", func(p *peer) [][]byte {
			b := p.encode(request("GET")...)
			return [][]byte{raw(typeHeaders, flagEndStream, 1, b[:1]), raw(typeContinuation, flagEndHeaders, 3, b[1:])}
		}, failed("0", ProtocolError), nil, ProtocolError, "frame within a field section"},
		{"ping within", func(p *peer) [][]byte {
			return [][]byte{raw(typeHeaders, flagEndStream, 1, p.encode(request("GET")...)), raw(typePing, 0, 0, "12345678")}
		}, failed("0", ProtocolError), nil, ProtocolError, "frame within a field section"},
		{"continuation of nothing", frames(raw(typeContinuation, flagEndHeaders, 1, "\x82")),
			failed("0", ProtocolError), nil, ProtocolError, "continuation of nothing"},
		{"continuation of what has ended", func(p *peer) [][]byte { return [][]byte{p.get(1), raw(typeContinuation, flagEndHeaders, 1, "")} },
			failed("1", ProtocolError), []string{get1}, ProtocolError, "continuation of nothing"},

		{"an index that isn't there", frames(raw(typeHeaders, flagEndHeaders, 1, "\xff\x80\x01")),
			failed("1", CompressionError), nil, CompressionError, "bad field section"},
		{"a field cut off", frames(raw(typeHeaders, flagEndHeaders, 1, "\x00\x05abc")),
			failed("1", CompressionError), nil, CompressionError, "bad field section"},
		{"bad Huffman code", frames(raw(typeHeaders, flagEndHeaders, 1, "\x00\x01x\x84\xff\xff\xff\xff")),
			failed("1", CompressionError), nil, CompressionError, "bad field section"},
		{"a change of the table's size", func(p *peer) [][]byte {
			return [][]byte{raw(typeHeaders, flagEndHeaders|flagEndStream, 1, "\x20\x3f\xe1\x1f"+string(p.encode(request("GET")...)))}
		}, nil, []string{get1}, 0, ""},
		{"a third change of the table's size", frames(raw(typeHeaders, flagEndHeaders, 1, "\x20\x20\x20\x82")),
			failed("1", CompressionError), nil, CompressionError, "bad change of the table's size"},
		{"a table too large", frames(raw(typeHeaders, flagEndHeaders, 1, "\x3f\xe2\x1f\x82")),
			failed("1", CompressionError), nil, CompressionError, "bad change of the table's size"},
		{"a size without end", frames(raw(typeHeaders, flagEndHeaders, 1, "\x3f\xff\xff\xff\xff\xff\xff\xff\xff")),
			failed("1", CompressionError), nil, CompressionError, "bad change of the table's size"},
		{"a size cut off", frames(raw(typeHeaders, flagEndHeaders, 1, "\x3f")),
			failed("1", CompressionError), nil, CompressionError, "bad change of the table's size"},
		{"a late change of the table's size", func(p *peer) [][]byte {
			return [][]byte{p.get(1, Field{"x-kept", "in the table"}), raw(typeHeaders, flagEndHeaders, 3, "\x82\x20")}
		}, failed("3", CompressionError), []string{"headers 1 GET https a.example / x-kept=in the table end"}, CompressionError, "bad field section"},

		{"a bad section that nobody wants", func(p *peer) [][]byte { return [][]byte{p.get(1), raw(typeHeaders, flagEndHeaders, 1, "\xff\x80\x01")} },
			failed("1", CompressionError), []string{get1}, CompressionError, "bad field section"},
		{"bad trailers", func(p *peer) [][]byte {
			return [][]byte{p.post(1), raw(typeHeaders, flagEndHeaders|flagEndStream, 1, "\xff\x80\x01")}
		},
			failed("1", CompressionError), []string{post1}, CompressionError, "bad field section"},

		{"trailers", func(p *peer) [][]byte {
			return [][]byte{p.post(1), dataFrame(1, "ab", false), trailers(p, 1, flagEndStream, Field{"x-sum", "7"}, Field{"x-sum", "8"})}
		}, nil, []string{post1, "trailers 1 x-sum=7 x-sum=8"}, 0, ""},
		{"trailers, none", func(p *peer) [][]byte { return [][]byte{p.post(1), trailers(p, 1, flagEndStream)} }, nil, []string{post1, "trailers 1"}, 0, ""},
		{"trailers, continued", func(p *peer) [][]byte {
			b := p.encode(Field{"x", "y"})
			return [][]byte{p.post(1), raw(typeHeaders, flagEndStream, 1, b[:1]), raw(typeContinuation, flagEndHeaders, 1, b[1:])}
		}, nil, []string{post1, "trailers 1 x=y"}, 0, ""},
		{"trailers that end a response, too", func(p *peer) [][]byte {
			p.answer = func(out []byte, r *Request) []byte {
				noAnswer(p)
				return p.s.AppendHeaders(out, r.ID, 200, nil, -1, true)
			}
			return [][]byte{p.post(1), trailers(p, 1, flagEndStream, Field{"x", "y"}), trailers(p, 1, flagEndStream)}
		}, []string{"headers 1 :status=200 end", "goaway 1 STREAM_CLOSED"}, []string{post1, "trailers 1 x=y"}, StreamClosed, "headers on a closed stream"},
	}
	bad := []struct {
		name  string
		flags uint8
		field Field
	}{
		{"without end", 0, Field{"x", "y"}},
		{"with a pseudo-header field", flagEndStream, Field{":path", "/"}},
		{"with a response's pseudo-header field", flagEndStream, Field{":status", "200"}},
		{"with an empty name", flagEndStream, Field{"", "y"}},
		{"in upper case", flagEndStream, Field{"X", "y"}},
		{"with a line end", flagEndStream, Field{"x", "a\r\nb"}},
		{"with connection", flagEndStream, Field{"connection", "close"}},
		{"with content-length", flagEndStream, Field{"content-length", "1"}},
		{"with transfer_encoding", flagEndStream, Field{"transfer_encoding", "chunked"}},
		{"with host", flagEndStream, Field{"host", "a.example"}},
		{"with cookie", flagEndStream, Field{"cookie", "a=b"}},
		{"with x-forwarded-for", flagEndStream, Field{"x-forwarded-for", "::1"}},
	}
	for _, b := range bad {
		tests = append(tests, dialogue{"trailers " + b.name, func(p *peer) [][]byte {
			return [][]byte{p.post(1), trailers(p, 1, b.flags, b.field), trailers(p, 1, flagEndStream), p.get(3)}
		}, []string{"reset 1 PROTOCOL_ERROR"}, []string{post1, "reset 1 PROTOCOL_ERROR", get3}, 0, ""})
	}
	for i := range tests {
		tests[i].play(t, nil)
	}
}

// TestTrailersExcess are trailers beyond the bounds of Settings.
func TestTrailersExcess(t *testing.T) {
	tt := dialogue{"too many", func(p *peer) [][]byte {
		return [][]byte{p.post(1), raw(typeHeaders, flagEndHeaders|flagEndStream, 1, p.encode(Field{"x", "1"}, Field{"x", "2"}, Field{"x", "3"})), p.get(3)}
	}, []string{"reset 1 ENHANCE_YOUR_CALM"}, []string{"headers 1 " + postTold, "reset 1 ENHANCE_YOUR_CALM", "headers 3 " + getTold}, 0, ""}
	tt.play(t, &Settings{MaxFields: 2})
}

// TestTunnel wants nothing but content on the stream of a CONNECT (RFC 9113 §8.5).
func TestTunnel(t *testing.T) {
	tt := dialogue{"trailers", func(p *peer) [][]byte {
		return [][]byte{raw(typeHeaders, flagEndHeaders, 1, p.encode(Field{":method", "CONNECT"}, Field{":authority", "a.example:443"})),
			dataFrame(1, "hello", false), raw(typeHeaders, flagEndHeaders|flagEndStream, 1, p.encode(Field{"x", "1"}))}
	}, []string{"reset 1 PROTOCOL_ERROR"}, []string{"headers 1 CONNECT  a.example:443 ", "reset 1 PROTOCOL_ERROR"}, 0, ""}
	tt.play(t, nil)
}

// TestSectionBounds ends the connection of whose field section is too long to be decoded.
func TestSectionBounds(t *testing.T) {
	large := strings.Repeat("x", maxFrame)
	tests := []dialogue{
		{"bytes", frames(raw(typeHeaders, 0, 1, large), raw(typeContinuation, 0, 1, large), raw(typeContinuation, 0, 1, "x")),
			[]string{"goaway 0 ENHANCE_YOUR_CALM"}, nil, EnhanceYourCalm, "field section too large"},
		{"frames", frames(raw(typeHeaders, 0, 1, "\x82"), repeat(9, func(int) []byte { return raw(typeContinuation, 0, 1, "\x82") })),
			[]string{"goaway 0 ENHANCE_YOUR_CALM"}, nil, EnhanceYourCalm, "too many continuations"},
	}
	for i := range tests {
		tests[i].play(t, nil)
	}
}

// TestRefused opens more streams than may be.
func TestRefused(t *testing.T) {
	p := dial(t, &Settings{MaxStreams: 2})
	p.send(p.post(1), p.get(3), p.post(5, Field{"x-kept", "in the table"}), dataFrame(5, "late", true))
	p.want("reset 5 REFUSED_STREAM")
	if p.s.Streams() != 2 {
		t.Errorf("got %d streams, want 2", p.s.Streams())
	}
	p.send(resetFrame(1, Cancel), p.get(7, Field{"x-kept", "in the table"}))
	p.want()
	p.wantTold("headers 1 "+postTold, "headers 3 "+getTold, "reset 1 CANCEL", "headers 7 GET https a.example / x-kept=in the table end")
}

// TestRefusedInStep wants the section of a stream that is refused to be understood all the same.
func TestRefusedInStep(t *testing.T) {
	tt := dialogue{"bad", func(p *peer) [][]byte { return [][]byte{p.get(1), raw(typeHeaders, flagEndHeaders, 3, "\xff\x80\x01")} },
		[]string{"goaway 3 COMPRESSION_ERROR"}, []string{"headers 1 " + getTold}, CompressionError, "bad field section"}
	tt.play(t, &Settings{MaxStreams: 1})
}

// TestForgotten resets the stream of frames that come so late that nobody knows what became of it.
func TestForgotten(t *testing.T) {
	p := dial(t, nil)
	p.send(p.post(1))
	p.answers.Write(p.s.AppendReset(nil, 1, Cancel))
	p.want("reset 1 CANCEL")
	p.answer = func(out []byte, r *Request) []byte { return p.s.AppendHeaders(out, r.ID, 204, nil, -1, true) }
	p.send(repeat(keepClosed, func(i int) []byte { return p.get(uint32(2*i + 3)) }))
	p.read()
	end := raw(typeHeaders, flagEndHeaders|flagEndStream, 1, p.encode(Field{"x", "y"}))
	p.send(dataFrame(1, "late", false), end, end)
	p.want("reset 1 STREAM_CLOSED")
	if p.err != nil {
		t.Error(p.err)
	}
}

// TestStringsStay wants a request's strings to be as they were when its frames' memory is used again.
func TestStringsStay(t *testing.T) {
	p := dial(t, nil)
	var kept []Field
	p.answer = func(out []byte, r *Request) []byte {
		kept = append(kept, Field{r.Path, r.Authority})
		kept = append(kept, r.Fields...)
		return out
	}
	want := []Field{{"/", "a.example"}, {"x-plain", "{{{{{{{{"}, {"cookie", "a; b"}}
	in := p.get(1, want[1], Field{"cookie", "a"}, Field{"cookie", "b"})
	p.send(in)
	for i := range in {
		in[i] = 0xff
	}
	p.send(p.get(3, Field{"x-other", "value"}))
	for i := range want {
		if kept[i] != want[i] {
			t.Errorf("got %v, want %v", kept[i], want[i])
		}
	}
}

// TestSectionsInOneFeed has sections checked that resemble the one before, whose memory they have.
func TestSectionsInOneFeed(t *testing.T) {
	p := dial(t, nil)
	p.send(p.get(1, Field{"x-a", "1"}, Field{"x-b", "2"}), p.get(3, Field{"x-a", "1"}, Field{"X-b", "2"}), p.get(5, Field{"x-a", "1"}, Field{"x-b", "2 "}),
		p.get(7, Field{"x-a", "1"}, Field{"x-b", "2"}), p.get(9, Field{"", ""}), p.get(11, Field{"x-a", "1"}, Field{"", ""}), p.get(13, Field{"x-b", "2"}))
	p.want("reset 3 PROTOCOL_ERROR", "reset 5 PROTOCOL_ERROR", "reset 9 PROTOCOL_ERROR", "reset 11 PROTOCOL_ERROR")
	p.wantTold("headers 1 GET https a.example / x-a=1 x-b=2 end", "headers 7 GET https a.example / x-a=1 x-b=2 end", "headers 13 GET https a.example / x-b=2 end")
}

// TestTableResized wants the decoder to follow a table that shrinks and grows.
func TestTableResized(t *testing.T) {
	p := dial(t, nil)
	kept := Field{"x-kept", "in the table"}
	p.send(p.get(1, kept))
	p.enc.SetMaxDynamicTableSize(64)
	p.send(p.get(3, kept))
	p.enc.SetMaxDynamicTableSize(0)
	p.enc.SetMaxDynamicTableSize(4096) // the encoder says both
	p.send(p.get(5, kept))
	p.send(p.get(7, kept))
	var want []string
	for id := 1; id <= 7; id += 2 {
		want = append(want, fmt.Sprintf("headers %d GET https a.example / x-kept=in the table end", id))
	}
	p.wantTold(want...)
	if p.err != nil {
		t.Error(p.err)
	}
}

// TestReadInt compares readInt to the integers that hpack's encoder writes in a change of the table's size.
func TestReadInt(t *testing.T) {
	p := dial(t, nil)
	for _, size := range []uint32{0, 1, 30, 31, 32, 158, 159, 4095, 4096} {
		p.enc.SetMaxDynamicTableSize(size)
		b := p.encode(Field{":method", "GET"})
		got, used := readInt(b, 5)
		if size != 4096 && (got != size || used != len(b)-1) {
			t.Errorf("%d: got %d in %d of %d bytes", size, got, used, len(b)-1)
		}
		p.enc = hpack.NewEncoder(&p.block)
	}
}
