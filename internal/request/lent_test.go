package request

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/http2"

	"github.com/seawall/seawall/internal/flow"
)

// loan is memory that is spoiled when it is given back.
type loan struct {
	memory   []byte
	returned int
}

func lend(n int) *loan { return &loan{memory: []byte(strings.Repeat("lent", n/4))} }

func (l *loan) Return() {
	clear(l.memory)
	l.returned++
}

// write answers a flow with what is lent, announced as length bytes.
func (l *loan) write(x flow.Exchange, length int) error {
	return errors.Join(x.WriteHead(200, nil, int64(length)), x.WriteLent(l.memory, l), x.Finish(nil))
}

// halves are paths that have the answer written by one half or the other.
func halves(write func(f *flow.Flow)) map[string]*corridor {
	return map[string]*corridor{
		"decide": {decide: func(f *flow.Flow) bool { write(f); return true }},
		"fulfil": {fulfil: write},
	}
}

// TestLent wants what is lent sent as it is, and given back once.
func TestLent(t *testing.T) {
	for _, tt := range []struct {
		name, method   string
		size, announce int
		sent           int
		err            error
	}{
		{"small", "GET", 100, 100, 100, nil},
		{"large", "GET", 10_000, 10_000, 10_000, nil},
		{"head", "HEAD", 10_000, 10_000, 0, nil},
		{"too long", "GET", 10_000, 9_999, 0, errTooLong},
		{"too short", "GET", 10_000, 10_001, 10_000, io.ErrUnexpectedEOF},
	} {
		var l *loan
		var err error
		for half, path := range halves(func(f *flow.Flow) { err = l.write(f.Exchange, tt.announce) }) {
			t.Run(half+"/"+tt.name, func(t *testing.T) {
				l = lend(tt.size)
				got := open(path, nil, tt.method+" / HTTP/1.1\r\nHost: a\r\n\r\n").run(t)
				_, body, _ := strings.Cut(got, "\r\n\r\n")
				if body != strings.Repeat("lent", tt.sent/4) || !errors.Is(err, tt.err) || l.returned != 1 {
					t.Errorf("got %d bytes %.20q, %v, returned %d times, want %d bytes, %v, once", len(body), body, err, l.returned, tt.sent, tt.err)
				}
			})
		}
	}
}

// TestH2Lent wants what is lent back once its stream has no use for it any more, whatever ends that.
func TestH2Lent(t *testing.T) {
	const size = 100_000
	for _, tt := range []struct {
		name string
		end  func(p *peer) // of a client that has taken 1000 bytes
		sent int
		err  error // of the half that waits
	}{
		{"a window", func(p *peer) { p.WriteWindowUpdate(0, size); p.WriteWindowUpdate(1, size) }, size, nil},
		{"a reset", func(p *peer) { p.WriteRSTStream(1, http2.ErrCodeCancel) }, 1000, errReset},
		{"the connection's end", func(p *peer) { p.session.End() }, 1000, errConnectionOver},
	} {
		var l *loan
		var err error
		for half, path := range halves(func(f *flow.Flow) { err = l.write(f.Exchange, size) }) {
			t.Run(half+"/"+tt.name, func(t *testing.T) {
				l, err = lend(size), nil
				bubble(t, path, nil, func(p *peer) {
					p.get(1)
					p.settle()
					if l.returned != 0 {
						t.Errorf("before the end: returned %d times, want 0", l.returned)
					}
					tt.end(p)
					p.settle()
					if got := contentOf(p); got != strings.Repeat("lent", tt.sent/4) {
						t.Errorf("got %d bytes, want the first %d", len(got), tt.sent)
					}
				}, http2.Setting{ID: http2.SettingInitialWindowSize, Val: 1000})
				want := tt.err
				if half == "decide" {
					want = nil
				}
				if l.returned != 1 || !errors.Is(err, want) {
					t.Errorf("returned %d times, %v, want once, %v", l.returned, err, want)
				}
			})
		}
	}
}

// contentOf is what has arrived in DATA frames.
func contentOf(p *peer) string {
	var b strings.Builder
	for {
		switch f, err := p.ReadFrame(); f := f.(type) {
		case *http2.DataFrame:
			b.Write(f.Data())
		case nil:
			if !errors.Is(err, io.EOF) {
				p.Error(fmt.Errorf("reading: %w", err))
			}
			return b.String()
		}
	}
}

// TestFiles wants a part of a file handed to the connection behind its head, and given back where nothing of it is to be sent.
func TestFiles(t *testing.T) {
	const size = 20_000
	for _, tt := range []struct {
		name, method string
		announce     int64
		sent         int64
		returned     int
		err          error
		next         flow.Next
	}{
		{"whole", "GET", size, size, 0, nil, flow.Flush},
		{"head", "HEAD", size, 0, 1, nil, flow.More},
		{"too long", "GET", size - 1, 0, 1, errTooLong, flow.Close},
	} {
		t.Run(tt.name, func(t *testing.T) {
			l := lend(0)
			var err error
			c := open(&corridor{decide: func(f *flow.Flow) bool {
				x := f.Exchange.(flow.FileWriter)
				if !x.SendsFiles() {
					t.Error("the connection sends files, and the exchange does not")
				}
				err = errors.Join(x.WriteHead(200, nil, tt.announce), x.WriteFile(flow.FilePart{Length: size}, l))
				if err == nil {
					err = x.Finish(nil)
				}
				return true
			}}, nil)
			c.session.(*session).info.SendsFiles = true
			_, next := c.session.Turn([]byte(tt.method+" / HTTP/1.1\r\nHost: a\r\n\r\n"), &c.out, time.Now())
			if c.out.File.Length != tt.sent || !errors.Is(err, tt.err) || l.returned != tt.returned || next != tt.next {
				t.Errorf("got %d bytes, %v, returned %d times, then %d, want %d bytes, %v, %d times, then %d",
					c.out.File.Length, err, l.returned, next, tt.sent, tt.err, tt.returned, tt.next)
			}
			if c.out.Reset(); l.returned != 1 {
				t.Errorf("at the end: returned %d times, want once", l.returned)
			}
		})
	}
}
