package h2attack

import (
	"time"

	"golang.org/x/net/http2"
)

// dribble is how often slow attacks move: often enough to not stand still.
const dribble = 200 * time.Millisecond

// waits are attacks that take their time, and have the server keep something for them meanwhile.
func waits() []Attack {
	large := func(c *conn) error { return c.openAll(c.large, true) }
	posts := func(c *conn) error { return c.openAll(c.post, false) }
	return []Attack{
		{
			Name: "half-preface", About: "half of the preface, then a byte now and then",
			Unit: "bytes", Most: 12, Every: 2 * dribble, Width: 50, mute: true,
			begin: func(c *conn) error { return c.say(http2.ClientPreface[:12]) },
			send:  func(c *conn, unit int) error { return c.say(http2.ClientPreface[12+unit : 12+unit+1]) },
		},
		{
			Name: "silence", About: "the preface and SETTINGS, and nothing more within a frame's head",
			Unit: "waits", Most: 150, Every: dribble, Width: 50,
			begin: func(c *conn) error { return c.say("\x00\x00\x10") },
		},
		{
			Name: "slow-headers", About: "a field section whose parts come now and then, without an end",
			Unit: "frames", Most: 150, Every: dribble, Width: 50, section: true,
			begin: beginSection, send: continued([]byte{}),
		},
		{
			Name: "slow-bodies", About: "100 requests whose bodies come a byte now and then",
			Unit: "bytes", Most: 150, Every: dribble, begin: posts,
			send: func(c *conn, _ int) error {
				for i := range uint32(streamsEach) {
					if err := c.framer.WriteData(2*i+1, false, []byte{'x'}); err != nil {
						return err
					}
				}
				return nil
			},
		},
		{
			Name: "silent-bodies", About: "100 requests whose bodies never come",
			Unit: "waits", Most: 150, Every: dribble, begin: posts,
		},
		{
			Name: "stalled-windows", About: "100 large responses with windows that stay shut",
			Unit: "waits", Most: 150, Every: dribble, settings: windowOf(0), begin: large,
		},
		{
			Name: "slow-windows", About: "100 large responses with windows that open by a byte now and then",
			Unit: "bytes", Most: 150, Every: dribble, settings: windowOf(0), begin: large,
			send: func(c *conn, _ int) error {
				for i := range uint32(streamsEach) {
					if err := c.framer.WriteWindowUpdate(2*i+1, 1); err != nil {
						return err
					}
				}
				return nil
			},
		},
		{
			Name: "stalled-connection", About: "100 large responses on a connection that isn't read",
			Unit: "waits", Most: 150, Every: dribble, unread: true, begin: large,
		},
	}
}

// say writes bytes that are no frame.
func (c *conn) say(bytes string) error {
	_, err := c.out.WriteString(bytes)
	return err
}
