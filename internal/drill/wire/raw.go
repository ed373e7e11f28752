package wire

import "net"

// Render returns q as software sends it to t over HTTP/1.1, for Shoot: that needs no connection.
func (s *Software) Render(t Target, q *Request) []byte {
	c := Conn{software: s, target: t}
	return c.render(nil, q)
}

// Raw is what HTTP/1.1 is spoken over, the inside of TLS if there is some: for attacks that speak it otherwise than Do.
func (c *Conn) Raw() net.Conn { return c.stream }
