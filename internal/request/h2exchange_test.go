package request

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/net/http2"

	"github.com/seawall/seawall/internal/flow"
	"github.com/seawall/seawall/internal/spec"
)

// TestH2Responses wants each response in frames that say where it ends, whichever half of the path writes it.
func TestH2Responses(t *testing.T) {
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
	trailed := func(w func(x flow.Exchange) error) func(x flow.Exchange) error { return w }
	big := strings.Repeat("x", 5<<10)
	tests := []struct {
		name, method string
		write        func(x flow.Exchange) error
		want         []string
		err          error
	}{
		{"length", "GET", send(200, 2, "ok"), []string{"headers 1 status=200 x=y content-length=2", "data 1 ok", "headers 1 t=u end"}, nil},
		{"empty", "GET", send(200, 0), []string{"headers 1 status=200 x=y content-length=0 end"}, nil},
		{"pieces", "GET", send(200, 4, "ab", "", "cd"), []string{"headers 1 status=200 x=y content-length=4", "data 1 ab", "data 1 cd", "headers 1 t=u end"}, nil},
		{"large pieces", "GET", send(200, 2*5<<10+1, big, "z", big),
			[]string{"headers 1 status=200 x=y content-length=10241", "data 1 5120 bytes", "data 1 z", "data 1 5120 bytes", "headers 1 t=u end"}, nil},
		{"length unknown", "GET", trailed(send(200, -1, "ab", "", "c")), []string{"headers 1 status=200 x=y", "data 1 ab", "data 1 c", "headers 1 t=u end"}, nil},
		{"length unknown, empty", "GET", send(200, -1), []string{"headers 1 status=200 x=y", "headers 1 t=u end"}, nil},
		{"head", "HEAD", send(200, 9, "not this"), []string{"headers 1 status=200 x=y content-length=9 end"}, nil},
		{"head, unknown length", "HEAD", send(200, -1, "not this"), []string{"headers 1 status=200 x=y end"}, nil},
		{"no content", "GET", send(204, 0), []string{"headers 1 status=204 x=y end"}, nil},
		{"not modified", "GET", send(304, 9, "not this"), []string{"headers 1 status=304 x=y end"}, nil},
		{"too short", "GET", send(200, 3, "ab"), []string{"headers 1 status=200 x=y content-length=3", "data 1 ab", "reset 1 INTERNAL_ERROR"}, io.ErrUnexpectedEOF},
		{"too long", "GET", send(200, 3, "ab", "cd"), []string{"headers 1 status=200 x=y content-length=3", "data 1 ab", "reset 1 INTERNAL_ERROR"}, errTooLong},
		{"unfinished", "GET", func(x flow.Exchange) error {
			return errors.Join(x.WriteHead(200, field, -1), x.WriteBody([]byte("ab"), false))
		}, []string{"headers 1 status=200 x=y", "data 1 ab", "reset 1 INTERNAL_ERROR"}, nil},
		{"nothing at all", "GET", func(flow.Exchange) error { return nil }, []string{"reset 1 INTERNAL_ERROR"}, nil},
		{"no trailers", "GET", func(x flow.Exchange) error {
			return errors.Join(x.WriteHead(200, field, -1), x.WriteBody([]byte("ab"), true), x.Finish(nil))
		}, []string{"headers 1 status=200 x=y", "data 1 ab end"}, nil},
		{"interim", "GET", func(x flow.Exchange) error {
			return errors.Join(x.WriteInfo(103, field), send(204, 0)(x))
		}, []string{"headers 1 status=103 x=y", "headers 1 status=204 x=y end"}, nil},
		{"no interim after the head", "GET", func(x flow.Exchange) error {
			return errors.Join(x.WriteHead(204, field, 0), x.WriteInfo(103, field), x.Finish(nil))
		}, []string{"headers 1 status=204 x=y end"}, nil},
	}
	for _, tt := range tests {
		for _, half := range []string{"decide", "fulfil"} {
			t.Run(half+"/"+tt.name, func(t *testing.T) {
				var err error
				path := &corridor{decide: func(f *flow.Flow) bool { err = tt.write(f.Exchange); return true }}
				if half == "fulfil" {
					path = &corridor{fulfil: func(f *flow.Flow) { err = tt.write(f.Exchange) }}
				}
				bubble(t, path, nil, func(p *peer) {
					p.ask(1, true, tt.method, "/")
					// Whether a short "too short" is known before it is sent is not said.
					got := p.read()
					if diff := cmp.Diff(tt.want, got); diff != "" && !(tt.err == io.ErrUnexpectedEOF && len(got) == 2) {
						p.Errorf("response (-want +got)\n%s", diff)
					}
					if !errors.Is(err, tt.err) || p.next != flow.More {
						p.Errorf("got %v, then %d, want %v, then %d", err, p.next, tt.err, flow.More)
					}
				})
			})
		}
	}
}

// reset is an origin's stream that was reset.
type reset bool

func (r reset) Error() string   { return "reset" }
func (r reset) Cancelled() bool { return bool(r) }

// TestH2Cancelled wants the stream of a call that the origin has cancelled to end likewise: a gRPC client whose deadline is over takes that for what
// it is.
func TestH2Cancelled(t *testing.T) {
	head := "headers 1 status=200"
	tests := []struct {
		name  string
		begun bool
		err   error
		want  []string
	}{
		{"before the head", false, reset(true), []string{"reset 1 CANCEL"}},
		{"behind the head", true, fmt.Errorf("body: %w", reset(true)), []string{head, "reset 1 CANCEL"}},
		{"reset otherwise", true, reset(false), []string{head, "reset 1 INTERNAL_ERROR"}},
		{"broken off", true, io.ErrUnexpectedEOF, []string{head, "reset 1 INTERNAL_ERROR"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			path := &corridor{fulfil: func(f *flow.Flow) {
				if tt.begun {
					if err := f.Exchange.WriteHead(200, nil, -1); err != nil {
						t.Error(err)
					}
				}
				f.Response.Err = tt.err
			}}
			bubble(t, path, nil, func(p *peer) {
				p.ask(1, true, "GET", "/")
				if diff := cmp.Diff(tt.want, p.read()); diff != "" {
					p.Errorf("response (-want +got)\n%s", diff)
				}
			})
		})
	}
}

// TestH2Windows wants responses that a client's windows hold back to arrive in order and whole as those open.
func TestH2Windows(t *testing.T) {
	pieces := []string{strings.Repeat("a", 5000), "b", strings.Repeat("c", 70_000), "d"}
	want := strings.Join(pieces, "")
	trailers := map[string][]flow.Field{"": nil, ", trailers": {{Name: "t", Value: "u"}}}
	for name, trailers := range trailers {
		for _, half := range []string{"decide", "fulfil"} {
			t.Run(half+name, func(t *testing.T) {
				var err error
				write := func(f *flow.Flow) {
					x := f.Exchange
					err = x.WriteHead(200, nil, int64(len(want)))
					for i, piece := range pieces {
						err = errors.Join(err, x.WriteBody([]byte(piece), i == len(pieces)-1))
					}
					err = errors.Join(err, x.Finish(trailers))
				}
				path := &corridor{decide: func(f *flow.Flow) bool { write(f); return true }}
				if half == "fulfil" {
					path = &corridor{fulfil: write}
				}
				bubble(t, path, nil, func(p *peer) {
					p.get(1)
					got, ended := "", false
					for i := range 200 {
						p.settle()
						for {
							f, err := p.ReadFrame()
							if err == io.EOF {
								break
							}
							switch f := f.(type) {
							case *http2.DataFrame:
								got, ended = got+string(f.Data()), f.StreamEnded()
							case *http2.MetaHeadersFrame:
								ended = f.StreamEnded()
							default:
								p.Fatalf("got %s after %d bytes", frameText(f), len(got))
							}
							if ended && len(got) < len(want) {
								p.Fatalf("got the end after %d bytes, want %d", len(got), len(want))
							}
						}
						if p.WriteWindowUpdate(1, uint32(100+i*10)); i == 60 {
							p.WriteWindowUpdate(0, 100_000)
						}
					}
					if got != want || !ended || err != nil {
						p.Errorf("got %d bytes, right: %t, end %t, %v, want %d", len(got), got == want, ended, err, len(want))
					}
				}, http2.Setting{ID: http2.SettingInitialWindowSize, Val: 10})
			})
		}
	}
}

// TestH2ReadBody reads each request's content, in one piece and byte by byte.
func TestH2ReadBody(t *testing.T) {
	post := func(fields ...string) func(p *peer) {
		return func(p *peer) { p.ask(1, false, "POST", "/", fields...) }
	}
	data := func(text string, end bool) func(p *peer) {
		return func(p *peer) { p.WriteData(1, end, []byte(text)) }
	}
	tests := []struct {
		name     string
		play     []func(p *peer)
		want     string
		err      error
		trailers []flow.Field
	}{
		{"none", []func(p *peer){func(p *peer) { p.ask(1, true, "POST", "/") }}, "", nil, nil},
		{"length", []func(p *peer){post("content-length", "5"), data("hello", true)}, "hello", nil, nil},
		{"no length", []func(p *peer){post(), data("hel", false), data("lo", true)}, "hello", nil, nil},
		{"an end of its own", []func(p *peer){post(), data("hello", false), data("", true)}, "hello", nil, nil},
		{"empty", []func(p *peer){post(), data("", true)}, "", nil, nil},
		{"trailers", []func(p *peer){post(), data("hello", false), func(p *peer) {
			p.block.Reset()
			p.enc.WriteField(hpackField("x-sum", "7"))
			p.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: p.block.Bytes(), EndHeaders: true, EndStream: true})
		}}, "hello", nil, []flow.Field{{Name: "x-sum", Value: "7"}}},
		{"reset", []func(p *peer){post(), data("hel", false), func(p *peer) { p.WriteRSTStream(1, http2.ErrCodeCancel) }}, "hel", io.ErrUnexpectedEOF, nil},
		{"too short", []func(p *peer){post("content-length", "5"), data("hel", true)}, "", io.ErrUnexpectedEOF, nil},
		{"too long", []func(p *peer){post("content-length", "5"), data("hel", false), data("lo!", true)}, "hel", io.ErrUnexpectedEOF, nil},
		{"the connection ends", []func(p *peer){post(), data("hel", false), func(p *peer) { p.session.End() }}, "hel", io.ErrUnexpectedEOF, nil},
	}
	for _, tt := range tests {
		for how, size := range map[string]int{"whole": 4096, "bytes": 1} {
			for _, pace := range []string{"at once", "one by one"} {
				t.Run(tt.name+"/"+how+"/"+pace, func(t *testing.T) {
					var body string
					var err error
					var trailers []flow.Field
					path := &corridor{fulfil: func(f *flow.Flow) {
						body, err = readBody(f, size)
						trailers = f.Exchange.Trailers()
						answer(f, 200, "ok")
					}}
					bubble(t, path, nil, func(p *peer) {
						for _, play := range tt.play {
							if play(p); pace == "one by one" {
								p.settle()
							}
						}
						p.settle()
						// Of a stream that is gone at once, nothing need be read.
						if tt.name == "the connection ends" && pace == "at once" {
							return // before it has begun
						}
						if body != tt.want && (tt.err == nil || pace == "one by one") || !errors.Is(err, tt.err) || tt.err == nil && err != nil {
							p.Errorf("got %q, %v, want %q, %v", body, err, tt.want, tt.err)
						}
						if diff := cmp.Diff(tt.trailers, trailers); diff != "" {
							p.Errorf("trailers (-want +got)\n%s", diff)
						}
					})
				})
			}
		}
	}
}

// TestH2UploadWindow wants a client to be let send a little before anybody reads, uploadWindow when somebody does, and then as much as is read.
func TestH2UploadWindow(t *testing.T) {
	read := make(map[bool]chan int)
	path := &corridor{fulfil: func(f *flow.Flow) {
		for n := range read[true] {
			b := make([]byte, n)
			_, err := io.ReadFull(bodyReader{f.Exchange}, b)
			if err != nil {
				return
			}
		}
		answer(f, 200, "ok")
	}}
	bubble(t, path, nil, func(p *peer) {
		read[true] = make(chan int)
		p.ask(1, false, "POST", "/")
		p.settle()
		left := 16<<10 - sendUntilFull(p, 1, 16<<10)
		if left != 0 {
			p.Errorf("got a window %d smaller than the first should be", left)
		}
		read[true] <- 1
		p.settle()
		granted := 0
		for _, line := range p.read() {
			var id, n int
			if _, err := sscan(line, "window %d %d", &id, &n); err == nil && id == 1 {
				granted += n
			}
		}
		if granted < uploadWindow || granted > uploadWindow+1 {
			p.Errorf("got %d bytes more once somebody reads, want %d", granted, uploadWindow)
		}
		sendUntilFull(p, 1, granted)
		if s := p.session.(*h2session); len(s.streams[0].x.in)-s.streams[0].x.used > uploadWindow+16<<10 {
			p.Errorf("got %d bytes kept, want %d at most", len(s.streams[0].x.in), uploadWindow+16<<10)
		}
		p.want("window 1 1") // for the one that was read
		p.WriteData(1, false, []byte("one too many"))
		p.want("reset 1 FLOW_CONTROL_ERROR")
		close(read[true])
	})
}

// sendUntilFull sends size bytes of content, in frames, and returns how many were taken without an error.
func sendUntilFull(p *peer, id uint32, size int) (sent int) {
	for sent < size {
		n := min(size-sent, 16<<10)
		p.WriteData(id, false, make([]byte, n))
		sent += n
	}
	p.settle()
	return sent
}

// bodyReader is a request's content as an [io.Reader].
type bodyReader struct{ flow.Exchange }

func (b bodyReader) Read(p []byte) (int, error) { return b.ReadBody(p) }

// TestH2Continue wants 100 (Continue) when the content is first read and none of it has come, and never otherwise.
func TestH2Continue(t *testing.T) {
	read := func(f *flow.Flow) { readBody(f, 3); answer(f, 200, "ok") }
	const goOn, window, head, body = "headers 1 status=100", "window 1 262144", "headers 1 status=200 content-length=2", "data 1 ok end"
	tests := []struct {
		name   string
		first  string // comes with the head
		fulfil func(f *flow.Flow)
		want   []string
	}{
		{"awaited", "", read, []string{"window 0 262144", window, goOn, head, body}},
		{"content comes along", "h", read, []string{window, "window 0 262144", head, body}},
		{"not wanted", "", func(f *flow.Flow) { answer(f, 200, "ok") }, []string{head, body}},
		{"read after the answer", "", func(f *flow.Flow) { answer(f, 200, "ok"); readBody(f, 3) }, []string{head, body}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			bubble(t, &corridor{fulfil: tt.fulfil}, nil, func(p *peer) {
				p.ask(1, false, "POST", "/", "expect", "100-continue", "content-length", "5")
				if tt.first != "" {
					p.WriteData(1, false, []byte(tt.first))
				}
				got := p.read()
				p.WriteData(1, true, []byte("hello"[len(tt.first):]))
				got = append(got, p.read()...)
				same := cmp.Diff(sorted(tt.want), sorted(got)) // windows come in any order
				if same != "" {
					p.Errorf("(-want +got)\n%s", same)
				}
			})
		})
	}
}

// TestH2Parting wants a client whose request is answered before its end to have a moment to take that in, and then to be told to send no more.
func TestH2Parting(t *testing.T) {
	for _, half := range []string{"decide", "fulfil"} {
		path := &corridor{decide: func(f *flow.Flow) bool { answer(f, 403, "no"); return true }}
		if half == "fulfil" {
			path = &corridor{fulfil: func(f *flow.Flow) { answer(f, 403, "no") }}
		}
		t.Run(half, func(t *testing.T) {
			bubble(t, path, nil, func(p *peer) {
				p.ask(1, false, "POST", "/")
				p.settle()
				p.ask(3, false, "POST", "/")
				p.want("headers 1 status=403 content-length=2", "data 1 no end", "headers 3 status=403 content-length=2", "data 3 no end")
				p.WriteData(3, true, []byte("all that there is"))
				p.WriteData(1, false, []byte("some"))
				if p.want(); p.next != flow.Serve {
					p.Errorf("then %d, want %d", p.next, flow.Serve)
				}
				p.tick()
				p.tick()
				if p.want("reset 1 NO_ERROR"); p.next != flow.More {
					p.Errorf("then %d, want %d", p.next, flow.More)
				}
				p.WriteData(1, false, []byte("more"))
				p.want()
			})
		})
	}
}

// TestH2Late wants a client that sends too slowly to be noticed by who waits, and the time in which nobody waits not to be held against it.
func TestH2Late(t *testing.T) {
	change := func(n *spec.Node) { n.Connections.StallTimeout = 10 * time.Second }
	for _, busy := range []bool{false, true} {
		var err error
		path := &corridor{fulfil: func(f *flow.Flow) {
			if busy {
				time.Sleep(time.Minute)
			}
			_, err = readBody(f, 100)
			answer(f, 408, "late")
		}}
		bubble(t, path, change, func(p *peer) {
			began := time.Now()
			p.ask(1, false, "POST", "/")
			for p.settle(); p.answers.Len() == 0 || len(p.session.(*h2session).streams) > 0; p.tick() {
				if time.Since(began) > 2*time.Minute {
					p.Fatal("it was not noticed")
				}
			}
			want := 10 * time.Second
			if busy {
				want += time.Minute
			}
			if took := time.Since(began); !errors.Is(err, os.ErrDeadlineExceeded) || took < want || took > want+3*time.Second {
				p.Errorf("busy %t: got %v after %v, want %v after %v", busy, err, took, os.ErrDeadlineExceeded, want)
			}
		})
	}
}

// TestH2Whole wants a response that was sent whole to count as that, although its client leaves at once.
func TestH2Whole(t *testing.T) {
	leave := map[string]func(p *peer){
		"resets": func(p *peer) { p.WriteRSTStream(1, http2.ErrCodeCancel) },
		"leaves": func(p *peer) { p.WriteGoAway(0, http2.ErrCodeNo, nil) },
	}
	for how, leave := range leave {
		for range 20 { // it is a race
			var err error
			path := &corridor{fulfil: func(f *flow.Flow) { err = answer(f, 200, strings.Repeat("x", 100_000)) }}
			bubble(t, path, nil, func(p *peer) {
				p.ask(1, false, "POST", "/")
				p.settle()
				p.WriteWindowUpdate(0, 100_000)
				p.WriteWindowUpdate(1, 100_000)
				p.in = append(p.in, p.sent.Bytes()...)
				p.sent.Reset()
				p.turn() // which sends the rest
				leave(p)
				p.in = append(p.in, p.sent.Bytes()...)
				p.sent.Reset()
				p.turn()
				p.session.End()
				synctest.Wait()
			})
			if err != nil {
				t.Errorf("%s: got %v, want none", how, err)
				break
			}
		}
	}
}
