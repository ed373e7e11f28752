package conn

import (
	"bytes"
	"crypto/tls"
	"io"
	"log/slog"
	"net"
	"testing"
	"time"

	"github.com/seawall/seawall/internal/flow"
	"github.com/seawall/seawall/internal/spec"
)

// static answers every line with the same bytes.
type static struct{ head, tail []byte }

func (s static) Turn(in []byte, out *flow.Output, _ time.Time) (used int, next flow.Next) {
	end := bytes.IndexByte(in, '\n') + 1
	if end == 0 {
		return 0, flow.More
	}
	out.Head, out.Tail = append(out.Head, s.head...), s.tail
	return end, flow.Flush
}

func (static) Fulfil(*flow.Output) flow.Next           { return flow.Close }
func (static) Timeout([]byte, *flow.Output, time.Time) {}
func (static) Parts() bool                             { return false }
func (static) End()                                    {}

// BenchmarkHit asks and reads an answer of 300 + 8192 bytes on a kept connection, client included.
func BenchmarkHit(b *testing.B) {
	for _, secure := range []bool{false, true} {
		b.Run(map[bool]string{false: "plain", true: "tls"}[secure], func(b *testing.B) {
			node := spec.DefaultNode()
			answer := static{head: content(300), tail: content(8192)}
			room := New(&node, Options{
				Open:  func(*flow.Conn, flow.Connection) flow.Session { return answer },
				Log:   slog.New(slog.DiscardHandler),
				Loops: loops(b, 1),
			})
			l, err := Listen(b.Context(), "127.0.0.1:0")
			if err != nil {
				b.Fatal(err)
			}
			var handshake Secure
			if secure {
				handshake = shake(b)
			}
			go room.Serve(l, handshake)
			defer room.Shutdown(b.Context())
			c, err := net.Dial("tcp", l.Addr().String())
			if err != nil {
				b.Fatal(err)
			}
			defer c.Close()
			if secure {
				c = tls.Client(c, &tls.Config{InsecureSkipVerify: true})
			}
			ask := []byte("get 8192\n")
			got := make([]byte, len(answer.head)+len(answer.tail))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := c.Write(ask); err != nil {
					b.Fatal(err)
				}
				if _, err := io.ReadFull(c, got); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
