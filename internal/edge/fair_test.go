package edge

import (
	"bytes"
	"io"
	"net"
	"strings"
	"sync"
	"testing"

	"golang.org/x/net/http2"

	"github.com/seawall/seawall/internal/flow"
)

// TestFairLoop wants a neighbour who asks once to be answered after a bounded part of what others have sent on the same loop, although each
// of them has filled its buffers with the smallest requests.
func TestFairLoop(t *testing.T) {
	const (
		floods = 4
		full   = 16 << 10
		each   = 32 // requests that one of them may have answered before others have their turn
	)
	pipelined := []byte(strings.Repeat("GET "+flow.ChallengePath+"flood HTTP/1.1\r\nHost: site.test\r\n\r\n", full/60))
	multiplexed := func(w *wire) []byte {
		var b bytes.Buffer
		f := http2.NewFramer(&b, nil)
		for id := uint32(1); b.Len() < full; id += 2 {
			w.must(f.WriteHeaders(http2.HeadersFrameParam{StreamID: id, BlockFragment: w.section("GET", flow.ChallengePath+"flood"), EndHeaders: true, EndStream: true}))
		}
		return b.Bytes()
	}
	for _, http2 := range []bool{false, true} {
		t.Run(map[bool]string{false: "http/1.1", true: "http/2"}[http2], func(t *testing.T) {
			var mu sync.Mutex
			flooded, before := 0, -1
			v := visit{loops: 1, challenge: func(_, path string) (string, bool) {
				mu.Lock()
				defer mu.Unlock()
				if strings.HasSuffix(path, "flood") {
					flooded++
				} else {
					before = flooded
				}
				return "x", true
			}}
			kernel(t, v, true, false, func(e *entrance) {
				var conns []net.Conn
				var texts [][]byte
				for range floods {
					if http2 {
						w := e.wire()
						conns, texts = append(conns, w.conn), append(texts, multiplexed(w))
					} else {
						conns, texts = append(conns, e.dial(visitor)), append(texts, pipelined)
					}
				}
				neighbour := e.dial(visitor)
				once := "GET " + flow.ChallengePath + "once HTTP/1.1\r\nHost: site.test\r\nConnection: close\r\n\r\n"
				e.settle("the connections", func() bool { return e.room.Stats().Open == floods+1 })
				held, proceed := make(chan bool), make(chan bool)
				e.loop.Do(func() { held <- true; <-proceed })
				<-held // so that all of it is there when the loop looks
				for i, c := range conns {
					_, err := c.Write(texts[i])
					e.must(err)
				}
				_, err := io.WriteString(neighbour, once)
				e.must(err)
				close(proceed)
				_, err = io.ReadAll(neighbour)
				e.must(err)
				mu.Lock()
				defer mu.Unlock()
				if before < 0 || before > 2*floods*each {
					e.Errorf("the neighbour's turn came after %d requests of others, want %d at most", before, 2*floods*each)
				}
			})
		})
	}
}
