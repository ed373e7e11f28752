package edge

import (
	"io"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/seawall/seawall/internal/flow"
	"github.com/seawall/seawall/internal/spec"
	"github.com/seawall/seawall/loop"
)

// browser is a head as browsers send it.
const browser = "GET /assets/site.css?v=12 HTTP/1.1\r\n" +
	"Host: www.site.test\r\n" +
	"User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0\r\n" +
	"Accept: text/css,*/*;q=0.1\r\n" +
	"Accept-Language: en-US,en;q=0.5\r\n" +
	"Accept-Encoding: gzip, deflate, br, zstd\r\n" +
	"Referer: https://www.site.test/news/today.html\r\n" +
	"Connection: keep-alive\r\n" +
	"Cookie: session=0123456789abcdef0123456789abcdef; seen=yes\r\n" +
	"Sec-Fetch-Dest: style\r\n" +
	"Sec-Fetch-Mode: no-cors\r\n" +
	"Sec-Fetch-Site: same-origin\r\n" +
	"Priority: u=2\r\n\r\n"

// quiet is a stream that nothing comes from.
type quiet struct{ abort flow.Abort }

func (q *quiet) Buffered() []byte         { return nil }
func (q *quiet) Discard(int)              {}
func (q *quiet) Fill() error              { return io.EOF }
func (q *quiet) Read([]byte) (int, error) { return 0, io.EOF }
func (q *quiet) Write(_, _ []byte) error  { return nil }
func (q *quiet) CloseWrite() error        { return nil }
func (q *quiet) Abort() *flow.Abort       { return &q.abort }
func (q *quiet) Task() *loop.Task         { return nil }
func (q *quiet) Tunnel()                  {}
func (q *quiet) Draining() bool           { return false }
func (q *quiet) Start(loop.Runner)        {}
func (q *quiet) Wake()                    {}
func (q *quiet) Charge(int) bool          { return true }
func (q *quiet) Judged(bool) bool         { return true }
func (q *quiet) Breach(string)            {}
func (q *quiet) Fault(value any)          { panic(value) }

// BenchmarkDecide is one request from its head to the line in the record, without the network.
func BenchmarkDecide(b *testing.B) {
	limits := spec.DefaultZone().Limits
	benchmarks := []struct {
		name   string
		limits spec.Limits
		status string
	}{
		{"hit", spec.Limits{Requests: spec.Rate{Requests: 1_000_000, Per: time.Second, Burst: 1_000_000}}, "200"},
		{"over the limit", spec.Limits{Requests: spec.Rate{Requests: 1, Per: time.Hour}, OriginRequests: limits.OriginRequests}, "429"},
	}
	for _, bb := range benchmarks {
		b.Run(bb.name, func(b *testing.B) {
			z := site("site", "www.site.test")
			z.Limits = bb.limits
			h := build(b, testNode(), z)
			h.serve(firstOrigin, func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Cache-Control", "max-age=3600")
				w.Header().Set("Content-Type", "text/css")
				w.Header().Set("ETag", `"one"`)
				io.WriteString(w, strings.Repeat("x", 1024))
			})
			c := h.dial(visitor)
			c.send(browser)
			h.want("first", c.read("GET"), 200, "xxx")
			c.conn.Close()

			s := h.requests.Open(&flow.Conn{Remote: netip.MustParseAddrPort(visitor + ":40000"), Local: netip.MustParseAddrPort(door)}, new(quiet))
			in, out := []byte(browser), flow.Output{}
			turn := func() {
				out.Head, out.Tail = out.Head[:0], nil
				if used, next := s.Turn(in, &out, time.Now()); used != len(in) || next != flow.More {
					b.Fatalf("got %d bytes used and %d next, want %d and more", used, next, len(in))
				}
			}
			turn()
			if got := string(out.Head); !strings.HasPrefix(got, "HTTP/1.1 "+bb.status) {
				b.Fatalf("got %q, want %s", got, bb.status)
			}
			b.ReportAllocs()
			for b.Loop() {
				turn()
			}
		})
	}
}
