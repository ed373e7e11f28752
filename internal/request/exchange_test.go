package request

import (
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/seawall/seawall/internal/flow"
)

// TestResponses wants each response framed so that the client knows its end, and the connection to go on or end accordingly.
func TestResponses(t *testing.T) {
	const (
		get11 = "GET / HTTP/1.1\r\nHost: a\r\n\r\n"
		get10 = "GET / HTTP/1.0\r\nHost: a\r\n\r\n"
		alive = "GET / HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\n\r\n"
		head  = "HEAD / HTTP/1.1\r\nHost: a\r\n\r\n"
		bye   = "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
	)
	field := []flow.Field{{Name: "X", Value: "y"}}
	send := func(status int, length int64, pieces ...string) func(x flow.Exchange) error {
		return func(x flow.Exchange) error {
			if err := x.WriteHead(status, field, length); err != nil {
				return err
			}
			for i, p := range pieces {
				if err := x.WriteBody([]byte(p), i == len(pieces)-1); err != nil {
					return err
				}
			}
			return x.Finish([]flow.Field{{Name: "T", Value: "u"}})
		}
	}
	big := strings.Repeat("x", 5<<10)
	ok := "HTTP/1.1 200 OK\r\nX: y\r\n"
	tests := []struct {
		name, ask string
		write     func(x flow.Exchange) error
		want      string
		next      flow.Next
		err       error
	}{
		{"length", get11, send(200, 2, "ok"), ok + "Content-Length: 2\r\n\r\nok", flow.More, nil},
		{"empty", get11, send(200, 0), ok + "Content-Length: 0\r\n\r\n", flow.More, nil},
		{"pieces", get11, send(200, 4, "ab", "", "cd"), ok + "Content-Length: 4\r\n\r\nabcd", flow.More, nil},
		{"large pieces", get11, send(200, 3*5<<10+1, big, big, "z", big), ok + "Content-Length: 15361\r\n\r\n" + big + big + "z" + big, flow.More, nil},
		{"chunked", get11, send(200, -1, "ab", "", "c"), ok + "Transfer-Encoding: chunked\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\nT: u\r\n\r\n", flow.More, nil},
		{"chunked and empty", get11, send(200, -1), ok + "Transfer-Encoding: chunked\r\n\r\n0\r\nT: u\r\n\r\n", flow.More, nil},
		{"until close", get10, send(200, -1, "ab", "c"), ok + "Connection: close\r\n\r\nabc", flow.Close, nil},
		{"until close in spite of keep-alive", alive, send(200, -1, "abc"), ok + "Connection: close\r\n\r\nabc", flow.Close, nil},
		{"1.0", get10, send(200, 1, "a"), ok + "Content-Length: 1\r\nConnection: close\r\n\r\na", flow.Close, nil},
		{"1.0 keep-alive", alive, send(200, 1, "a"), ok + "Content-Length: 1\r\nConnection: keep-alive\r\n\r\na", flow.More, nil},
		{"close", bye, send(200, 1, "a"), ok + "Content-Length: 1\r\nConnection: close\r\n\r\na", flow.Close, nil},
		{"head", head, send(200, 9, "not this"), ok + "Content-Length: 9\r\n\r\n", flow.More, nil},
		{"head, unknown length", head, send(200, -1, "not this"), ok + "\r\n", flow.More, nil},
		{"no content", get11, send(204, 0), "HTTP/1.1 204 No Content\r\nX: y\r\n\r\n", flow.More, nil},
		{"not modified", get11, send(304, 9, "not this"), "HTTP/1.1 304 Not Modified\r\nX: y\r\n\r\n", flow.More, nil},
		{"too short", get11, send(200, 3, "ab"), ok + "Content-Length: 3\r\n\r\nab", flow.Close, io.ErrUnexpectedEOF},
		{"too long", get11, send(200, 3, "ab", "cd"), ok + "Content-Length: 3\r\n\r\nab", flow.Close, errTooLong},
		{"too long by one", get11, send(200, 3, "abcd"), ok + "Content-Length: 3\r\n\r\n", flow.Close, errTooLong},
		{"unfinished", get11, func(x flow.Exchange) error {
			return errors.Join(x.WriteHead(200, field, -1), x.WriteBody([]byte("ab"), false))
		}, ok + "Transfer-Encoding: chunked\r\n\r\n2\r\nab\r\n", flow.Close, nil},
		{"unfinished until close", get10, func(x flow.Exchange) error {
			return errors.Join(x.WriteHead(200, field, -1), x.WriteBody([]byte("ab"), false))
		}, ok + "Connection: close\r\n\r\nab", flow.Reset, nil},
		{"interim", get11, func(x flow.Exchange) error {
			return errors.Join(x.WriteInfo(103, field), send(200, 1, "a")(x))
		}, "HTTP/1.1 103 Early Hints\r\nX: y\r\n\r\n" + ok + "Content-Length: 1\r\n\r\na", flow.More, nil},
		{"no interim in 1.0", get10, func(x flow.Exchange) error {
			return errors.Join(x.WriteInfo(103, field), send(200, 1, "a")(x))
		}, ok + "Content-Length: 1\r\nConnection: close\r\n\r\na", flow.Close, nil},
		{"no interim after the head", get11, func(x flow.Exchange) error {
			return errors.Join(x.WriteHead(204, field, 0), x.WriteInfo(103, field), x.Finish(nil))
		}, "HTTP/1.1 204 No Content\r\nX: y\r\n\r\n", flow.More, nil},
	}
	for _, tt := range tests {
		for _, half := range []string{"decide", "fulfil"} {
			t.Run(half+"/"+tt.name, func(t *testing.T) {
				var err error
				path := &corridor{decide: func(f *flow.Flow) bool { err = tt.write(f.Exchange); return true }}
				if half == "fulfil" {
					path = &corridor{fulfil: func(f *flow.Flow) { err = tt.write(f.Exchange) }}
				}
				c := open(path, nil, tt.ask)
				if diff := cmp.Diff(tt.want, c.run(t)); diff != "" {
					t.Errorf("response (-want +got)\n%s", diff)
				}
				if c.next != tt.next || !errors.Is(err, tt.err) {
					t.Errorf("got %v, then %d, want %v, then %d", err, c.next, tt.err, tt.next)
				}
			})
		}
	}
}

// TestDraining wants a node that stops to say so.
func TestDraining(t *testing.T) {
	c := open(new(corridor), nil, strings.Repeat("GET / HTTP/1.1\r\nHost: a\r\n\r\n", 2))
	c.draining = true
	const want = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok"
	if got := c.run(t); got != want || c.next != flow.Close {
		t.Errorf("got %q, then %d, want %q, then %d", got, c.next, want, flow.Close)
	}
}

// readBody reads a request's body in pieces of size bytes.
func readBody(f *flow.Flow, size int) (string, error) {
	var body []byte
	for p := make([]byte, size); ; {
		n, err := f.Exchange.ReadBody(p)
		if body = append(body, p[:n]...); err != nil {
			if err == io.EOF {
				err = nil
			}
			return string(body), err
		}
	}
}

// TestBodies reads each body, in one piece and byte by byte, and wants the request behind it to be answered as well, or the end.
func TestBodies(t *testing.T) {
	anything := errors.New("any")
	const (
		length  = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n"
		chunked = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
		behind  = "GET /behind HTTP/1.1\r\nHost: a\r\n\r\n"
	)
	tests := []struct {
		name, send string
		want       string
		err        error
		trailers   []flow.Field
		requests   int
	}{
		{"none", behind + behind, "", nil, nil, 2},
		{"length", length + "hello" + behind, "hello", nil, nil, 2},
		{"length, nothing behind", length + "hello", "hello", nil, nil, 1},
		{"zero", strings.Replace(length, "5", "0", 1) + behind, "", nil, nil, 2},
		{"chunked", chunked + "3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n" + behind, "hello", nil, nil, 2},
		{"chunked, empty", chunked + "0\r\n\r\n" + behind, "", nil, nil, 2},
		{"trailers", chunked + "5\r\nhello\r\n0\r\nX-Sum: 7\r\n\r\n" + behind, "hello", nil, []flow.Field{{Name: "X-Sum", Value: "7"}}, 2},
		{"truncated", length + "hel", "hel", io.ErrUnexpectedEOF, nil, 1},
		{"truncated chunk", chunked + "5\r\nhel", "hel", io.ErrUnexpectedEOF, nil, 1},
		{"truncated last chunk", chunked + "3\r\nhel\r\n0\r\n", "hel", io.ErrUnexpectedEOF, nil, 1},
		{"bad chunk", chunked + "3\r\nhel\r\nz\r\n" + behind, "hel", anything, nil, 1},
		{"forbidden trailer", chunked + "0\r\nContent-Length: 1\r\n\r\n" + behind, "", anything, nil, 1},
	}
	for _, tt := range tests {
		for name, pieces := range map[string][]string{"whole": {tt.send}, "bytes": strings.Split(tt.send, "")} {
			for _, size := range []int{1, 4096} {
				t.Run(tt.name+"/"+name, func(t *testing.T) {
					var bodies []string
					var errs []error
					var trailers []flow.Field
					path := &corridor{fulfil: func(f *flow.Flow) {
						body, err := readBody(f, size)
						bodies, errs = append(bodies, body), append(errs, err)
						trailers = append(trailers, f.Exchange.Trailers()...)
						answer(f, 200, "ok")
					}}
					c := open(path, nil, pieces...)
					got := strings.Count(c.run(t), "\r\n\r\nok")
					if got != tt.requests || len(bodies) != tt.requests {
						t.Fatalf("%d responses to %d requests, want %d", got, len(bodies), tt.requests)
					}
					if bodies[0] != tt.want || !errors.Is(errs[0], tt.err) && (tt.err != anything || errs[0] == nil) {
						t.Errorf("got %q, %v, want %q, %v", bodies[0], errs[0], tt.want, tt.err)
					}
					if diff := cmp.Diff(tt.trailers, trailers); diff != "" {
						t.Errorf("trailers (-want +got)\n%s", diff)
					}
					if want := map[bool]flow.Next{true: flow.More, false: flow.Linger}[tt.err == nil]; c.next != want {
						t.Errorf("then %d, want %d", c.next, want)
					}
				})
			}
		}
	}
}

// TestUnread leaves bodies unread.
func TestUnread(t *testing.T) {
	const (
		head   = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n"
		behind = "GET / HTTP/1.1\r\nHost: a\r\n\r\n"
		chunks = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
	)
	tests := []struct {
		name   string
		pieces []string
		want   int // responses
		next   flow.Next
	}{
		{"all there", []string{head + "hello" + behind}, 2, flow.More},
		{"part there", []string{head + "hel", "lo" + behind}, 1, flow.Linger},
		{"nothing there", []string{head, "hello" + behind}, 1, flow.Linger},
		{"a request in a body", []string{strings.Replace(head, "5", "44", 1) + behind}, 1, flow.Linger},
		{"chunked", []string{chunks + "0\r\n\r\n" + behind}, 1, flow.Linger},
	}
	for _, tt := range tests {
		for _, half := range []string{"decide", "fulfil"} {
			t.Run(half+"/"+tt.name, func(t *testing.T) {
				path := new(corridor)
				if half == "fulfil" {
					path.fulfil = func(f *flow.Flow) { answer(f, 200, "ok") }
				}
				c := open(path, nil, tt.pieces...)
				got := c.run(t)
				if n := strings.Count(got, "\r\n\r\nok"); n != tt.want || len(path.seen) != tt.want || c.next != tt.next {
					t.Errorf("%d responses to %d requests, then %d, want %d, then %d", n, len(path.seen), c.next, tt.want, tt.next)
				}
				if closes := strings.Contains(got, "Connection: close"); closes != (tt.next == flow.Linger) {
					t.Errorf("announced the end: %t", closes)
				}
			})
		}
	}
}

// TestContinue wants 100 (Continue) when the body is first read and none of it has come, and never otherwise.
func TestContinue(t *testing.T) {
	const (
		head = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n"
		goOn = "HTTP/1.1 100 Continue\r\n\r\n"
		ok   = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
		bye  = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok"
	)
	read := func(f *flow.Flow) { readBody(f, 3); answer(f, 200, "ok") }
	tests := []struct {
		name   string
		pieces []string
		fulfil func(f *flow.Flow)
		want   string
	}{
		{"awaited", []string{head, "hello"}, read, goOn + ok},
		{"body comes along", []string{head + "hello"}, read, ok},
		{"body begins to come", []string{head + "h", "ello"}, read, ok},
		{"not wanted", []string{head, "hello"}, func(f *flow.Flow) { answer(f, 200, "ok") }, bye},
		{"read after the head", []string{head, "hello"}, func(f *flow.Flow) { answer(f, 200, "ok"); readBody(f, 3) }, bye},
		{"1.0", []string{strings.Replace(strings.Replace(head, "1.1", "1.0", 1), "Host", "Connection: keep-alive\r\nHost", 1), "hello"}, read,
			strings.Replace(ok, "\r\n\r\n", "\r\nConnection: keep-alive\r\n\r\n", 1)},
		{"no body", []string{strings.Replace(head, "5", "0", 1)}, read, ok},
		{"early hints first", []string{head, "hello"}, func(f *flow.Flow) { f.Exchange.WriteInfo(103, nil); read(f) },
			"HTTP/1.1 103 Early Hints\r\n\r\n" + goOn + ok},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := open(&corridor{fulfil: tt.fulfil}, nil, tt.pieces...).run(t); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func TestHijack(t *testing.T) {
	const (
		upgrade = "GET /ws HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
		changed = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"
	)
	fields := []flow.Field{{Name: "Upgrade", Value: "websocket"}}
	tests := []struct {
		name, ask string
		status    int
		want      string // is read from the stream
		err       error
	}{
		{"upgrade", upgrade + "first", 101, "first", nil},
		{"not asked for", "GET /ws HTTP/1.1\r\nHost: a\r\n\r\nfirst", 101, "", errNoHijack},
		{"not answered", upgrade + "first", 200, "", errNoHijack},
		{"before the body", strings.Replace(upgrade, "Host", "Content-Length: 9\r\nHost", 1) + "first", 101, "", errNoHijack},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := open(&corridor{fulfil: func(f *flow.Flow) {
				if err := f.Exchange.WriteHead(tt.status, fields, -1); err != nil {
					t.Error(err)
				}
				s, err := f.Exchange.Hijack()
				if !errors.Is(err, tt.err) {
					t.Errorf("hijack: got %v, want %v", err, tt.err)
				}
				if s != nil {
					if got, err := io.ReadAll(s); string(got) != tt.want || err != nil {
						t.Errorf("got %q, %v, want %q", got, err, tt.want)
					}
				}
			}}, nil, tt.ask)
			got := c.run(t)
			if c.tunnel != (tt.err == nil) || c.next != flow.Close || tt.status == 101 && got != changed {
				t.Errorf("got %q, tunnel %t, then %d", got, c.tunnel, c.next)
			}
		})
	}
}
