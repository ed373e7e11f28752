package request

import (
	"bufio"
	"bytes"
	"io"
	"net/http"
	"net/netip"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/seawall/seawall/internal/flow"
	"github.com/seawall/seawall/internal/spec"
	"github.com/seawall/seawall/reqid"
)

// TestPipeline wants many requests in one packet to be answered in order, a bounded output at a time.
func TestPipeline(t *testing.T) {
	const requests = 5000
	body := strings.Repeat("x", 1000)
	path := &corridor{decide: func(f *flow.Flow) bool { answer(f, 200, body); return true }}
	c := open(path, nil)
	in := []byte(strings.Repeat("GET / HTTP/1.1\r\nHost: a\r\n\r\n", requests))
	turns := 0
	for next := flow.Flush; next != flow.More; turns++ {
		var used int
		used, next = c.session.Turn(in, &c.out, time.Now())
		in = in[used:]
		if got := len(c.out.Head); got > turnOutput+2000 {
			t.Fatalf("%d bytes of output in one turn, want %d at most", got, turnOutput)
		}
		c.flush()
	}
	if got := strings.Count(c.written.String(), body); got != requests || len(in) > 0 {
		t.Errorf("got %d responses in %d turns with %d bytes left, want %d", got, turns, len(in), requests)
	}
}

// seeds are streams of requests, good and bad.
var seeds = []string{
	"GET / HTTP/1.1\r\nHost: a\r\n\r\nGET /b HTTP/1.1\r\nHost: a\r\n\r\n",
	"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhelloGET / HTTP/1.1\r\nHost: a\r\n\r\n",
	"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nX: y\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
	"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nX: y\r\n\n\nHost: a\r\n\r\n",
	"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nX:\r\nHost: a\r\n\r\n",
	"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n5c\r\nGPOST / HTTP/1.1\r\n\r\n0\r\n\r\n",
	"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding : chunked\r\n\r\n0\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
	"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
	"POST / HTTP/1.1\r\nHost: a\r\nTransfer_Encoding: chunked\r\n\r\n0\r\n\r\n",
	"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello!",
	"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +5\r\n\r\nhello",
	"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5;a=\n\r\nhello\r\n0\r\n\r\n",
	"GET / HTTP/1.1\r\nHost: a\r\nX: y\nContent-Length: 9\r\n\r\nGET / HTTP/1.1\r\n",
	"GET / HTTP/1.0\r\nConnection: keep-alive\r\nHost: a\r\n\r\nGET / HTTP/1.0\r\n\r\n",
	"\r\nGET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
	"GET / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\nab",
	"GET /%2e%2E/%zz HTTP/1.1\r\nHost: a\r\n\r\nCONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n",
}

// echo answers a request with its method, path and body, decided at once where there is none.
func echo() *corridor {
	reply := func(f *flow.Flow) {
		body, err := readBody(f, 100)
		if err != nil {
			answer(f, 400, "broken")
			return
		}
		answer(f, 200, f.Request.Method+" "+f.Request.Path+" "+body)
	}
	return &corridor{
		decide: func(f *flow.Flow) bool {
			if f.Request.Length != 0 || f.Request.Upgrade != "" {
				return false
			}
			answer(f, 200, f.Request.Method+" "+f.Request.Path+" ")
			return true
		},
		fulfil: reply,
	}
}

// FuzzSession sends arbitrary bytes in arbitrary pieces. Whatever they are: nothing panics or hangs, every flow gets one response, the
// pieces make no difference, and net/http, reading the same bytes, finds each request that was accepted, with the same method, host
// and body.
func FuzzSession(f *testing.F) {
	for i, s := range seeds {
		f.Add([]byte(s), []byte{byte(i), 1, 30})
	}
	f.Add([]byte("PUUUUUUUUUUUUUU``````11111111`OST  HTTP/1.1\r\nHo: a\r\nTra[: a\r\n\rked\r\n\r\n"), []byte{78, 1})
	f.Fuzz(func(t *testing.T, in, sizes []byte) {
		if len(in) > 32<<10 || strings.Contains(string(in), "100-continue") && len(sizes) > 0 {
			return // whether 100 is sent depends on the pieces
		}
		path := echo()
		whole := open(path, nil, string(in)).run(t)
		responses := finals(t, whole, path.seen)
		want := len(path.seen)
		if want > 0 && foreign(&path.seen[want-1]) {
			want--
		}
		if responses != want {
			t.Fatalf("%d responses to %d requests", responses, want)
		}
		agree(t, in, path.seen, whole)

		var pieces []string
		rest := string(in)
		for _, n := range sizes {
			n := min(int(n), len(rest))
			pieces, rest = append(pieces, rest[:n]), rest[n:]
		}
		split := open(echo(), nil, append(pieces, rest)...).run(t)
		if oneRefusal(split) != oneRefusal(whole) {
			t.Errorf("in one piece: %q, in %q and %q: %q", whole, pieces, rest, split)
		}
	})
}

// foreign tells whether a request was none of HTTP, which is not answered.
func foreign(q *flow.Request) bool { return q.Refusal != nil && q.Refusal.Detail == "not http" }

// oneRefusal leaves the refusal of a head out: which of two faults is told, if any, may depend on the pieces it came in (h1.End).
func oneRefusal(answers string) string { return refusedHead.ReplaceAllString(answers, "") }

var refusedHead = regexp.MustCompile("HTTP/1.1 [45][0-9]{2} [^\r]*\r\nContent-Length: 8\r\nConnection: close\r\n\r\nrefused\n$")

// finals counts the final responses in a client's input by reading them with net/http.
func finals(t *testing.T, text string, seen []flow.Request) (n int) {
	r := bufio.NewReader(strings.NewReader(text))
	for {
		if _, err := r.Peek(1); err != nil {
			return n
		}
		method := "GET"
		if n < len(seen) && seen[n].Method != "" {
			method = seen[n].Method
		}
		if method == "CONNECT" { // net/http takes what follows for a tunnel
			method = "GET"
		}
		p, err := http.ReadResponse(r, &http.Request{Method: method})
		if err != nil {
			t.Fatalf("response %d of %q: %v", n, text, err)
		}
		if _, err := io.Copy(io.Discard, p.Body); err != nil {
			t.Fatalf("body of response %d of %q: %v", n, text, err)
		}
		if p.StatusCode >= 200 {
			n++
		}
	}
}

// agree lets net/http read in, as an origin or a proxy before us would, and compares what it finds to what was accepted.
func agree(t *testing.T, in []byte, seen []flow.Request, answers string) {
	r := bufio.NewReader(bytes.NewReader(in))
	for i, q := range seen {
		if q.Refusal != nil && q.Method == "" || q.Method == "CONNECT" {
			return // where it ends is not known, or net/http knows it otherwise
		}
		if p, _ := r.Peek(2); string(p) == "\r\n" { // one empty line may come before a request (RFC 9112 §2.2); net/http knows none
			r.Discard(2)
		}
		want, err := http.ReadRequest(r)
		if err != nil {
			if strings.Contains(err.Error(), "malformed Host") || strings.Contains(err.Error(), "parse ") || strings.Contains(err.Error(), "invalid") {
				return // it is stricter about targets and hosts, which say nothing of where a request ends
			}
			t.Fatalf("request %d, %s %s, was accepted; net/http says %v", i, q.Method, q.Target, err)
		}
		if q.Method != want.Method || !strings.EqualFold(q.Authority, want.Host) || q.Length != want.ContentLength {
			t.Fatalf("request %d: got %s %q %d, net/http reads %s %q %d", i, q.Method, q.Authority, q.Length, want.Method, want.Host, want.ContentLength)
		}
		if want.ContentLength < 0 && strings.Contains(answers, "broken") {
			return // h1 refuses chunks and trailers that net/http takes, bare line feeds and Host for instance: its own tests say which
		}
		body, err := io.ReadAll(want.Body)
		if q.Refusal == nil && err == nil && len(body) > 0 && !strings.Contains(answers, string(body)) {
			t.Fatalf("request %d: net/http reads body %q, the answers are %q", i, body, answers)
		}
		if err != nil {
			return
		}
	}
}

// BenchmarkTurn answers a browser's GET within Decide.
func BenchmarkTurn(b *testing.B) {
	const get = "GET /assets/css/site.css?v=12 HTTP/1.1\r\nHost: www.example.org\r\nUser-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0\r\n" +
		"Accept: text/css,*/*;q=0.1\r\nAccept-Language: en-US,en;q=0.5\r\nAccept-Encoding: gzip, deflate, br, zstd\r\nConnection: keep-alive\r\n" +
		"Referer: https://www.example.org/\r\nSec-Fetch-Dest: style\r\nSec-Fetch-Mode: no-cors\r\nSec-Fetch-Site: same-origin\r\n\r\n"
	node := spec.DefaultNode()
	room := New(&node, reqid.NewGenerator(1, 1), hit{body: bytes.Repeat([]byte("x"), 1024)})
	c := new(client)
	s := room.Open(&flow.Conn{Remote: netip.MustParseAddrPort("198.51.100.7:4711")}, c)
	in, now := []byte(get), time.Now()
	b.ReportAllocs()
	b.SetBytes(int64(len(in)))
	for b.Loop() {
		if used, next := s.Turn(in, &c.out, now); used != len(in) || next != flow.More {
			b.Fatalf("used %d, then %d", used, next)
		}
		c.out.Head, c.out.Tail = c.out.Head[:0], nil
	}
}

// hit is a path that has every response in memory.
type hit struct{ body []byte }

func (h hit) Decide(f *flow.Flow) bool {
	x := f.Exchange
	f.Response.Fields = append(f.Response.Fields[:0], flow.Field{Name: "Content-Type", Value: "text/css"}, flow.Field{Name: "Age", Value: "7"})
	x.WriteHead(200, f.Response.Fields, int64(len(h.body)))
	x.WriteBody(h.body, true)
	x.Finish(nil)
	return true
}

func (h hit) Fulfil(*flow.Flow) {}
