package origin

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/seawall/seawall/internal/flow"
)

// TestContentAsSent sends content of many sizes to an origin that answers with it.
func TestContentAsSent(t *testing.T) {
	echo := func(c net.Conn, r *bufio.Reader) {
		for {
			q, body, ok := ask(r)
			if !ok {
				return
			}
			w := http.Response{StatusCode: 200, ProtoMajor: 1, ProtoMinor: 1, ContentLength: int64(len(body)), Body: io.NopCloser(bytes.NewReader(body)),
				Header: http.Header{"Length": {q.Header.Get("Content-Length")}, "Coding": q.TransferEncoding, "Checksum": {q.Trailer.Get("Checksum")}}}
			w.Write(c)
		}
	}
	for _, way := range ways {
		t.Run(way.name, func(t *testing.T) {
			room, zone := way.open(t, echo)
			p := compile(t, room, zone)
			for _, size := range []int{1, 1000, bufferSize, bufferSize + 1, 10 * bufferSize} {
				for _, known := range []bool{true, false} {
					for _, expect := range []bool{false, true} {
						body := strings.Repeat("0123456789abcde", size)[:size]
						f := posting(ordinary(), body, known)
						f.Request.Expect = expect
						c := f.Exchange.(*client)
						if !known {
							f.Request.Fields = []flow.Field{{Name: "Trailer", Value: "Checksum"}}
							c.trailers = []flow.Field{{Name: "Checksum", Value: "7"}, {Name: "X-Real-IP", Value: "10.1.1.1"}}
						}
						p.Fetch(f)
						got, err := drain(f)
						if err != nil || f.Origin.Status != 200 {
							t.Fatalf("%d bytes: status %d, %v, refusal %+v", size, f.Origin.Status, err, f.Origin.Refusal)
						}
						if diff := cmp.Diff(body, got); diff != "" {
							t.Errorf("%d bytes, known %v, expect %v (-want +got):\n%.500s", size, known, expect, diff)
						}
						if checksum := flow.Get(f.Origin.Message.Fields, "checksum"); known == (checksum == "7") {
							t.Errorf("trailer field %q, known length %v", checksum, known)
						}
						if n := f.Admission.Lease.(*lease).count(); n != 1 {
							t.Errorf("lease released %d times, want 1", n)
						}
					}
				}
			}
		})
	}
}

// TestExpect asks the client for its content only when there is an origin to send it to.
func TestExpect(t *testing.T) {
	l := loopback(t)
	l.Close()
	p := compile(t, newRoom(t), zoneOf("http://"+l.Addr().String()))
	f := posting(ordinary(), "x", true)
	f.Request.Expect = true
	p.Fetch(f)
	if f.Origin.Refusal == nil || f.Exchange.(*client).asked {
		t.Errorf("refusal %+v, client asked %v, want a refusal without asking", f.Origin.Refusal, f.Exchange.(*client).asked)
	}
}

// endless is content that goes on until the response has been seen.
type endless struct{ stop chan struct{} }

func (e endless) Read(p []byte) (int, error) {
	select {
	case <-e.stop:
		return 0, io.ErrUnexpectedEOF
	default:
		return len(p), nil
	}
}

// TestEarlyResponse answers in the middle of uploads.
func TestEarlyResponse(t *testing.T) {
	const tooLarge = "HTTP/1.1 413 Content Too Large\r\nContent-Length: 3\r\n\r\nbig"
	tests := []struct {
		name          string
		known         bool // the content's length
		closes, reads bool
	}{
		{"then closes", true, true, true},
		{"goes on reading", false, false, true},
		{"stops reading", false, false, false},
	}
	for _, way := range ways {
		for _, tt := range tests {
			t.Run(way.name+"/"+tt.name, func(t *testing.T) {
				room, zone := way.open(t, func(c net.Conn, r *bufio.Reader) {
					http.ReadRequest(r)
					io.WriteString(c, tooLarge)
					if w, ok := c.(interface{ CloseWrite() error }); ok && tt.closes {
						w.CloseWrite()
					}
					if !tt.reads {
						<-t.Context().Done()
					}
					io.Copy(io.Discard, r)
				})
				p := compile(t, room, zone)
				f := posting(ordinary(), "", false)
				if tt.known {
					f.Request.Length = 1 << 40
				}
				stop := make(chan struct{})
				f.Exchange.(*client).body = endless{stop}
				p.Fetch(f)
				if f.Origin.Refusal != nil {
					t.Fatalf("refusal %+v, want the origin's 413", f.Origin.Refusal)
				}
				body, err := drain(f)
				if f.Origin.Status != 413 || body != "big" || err != nil {
					t.Errorf("status %d, body %q, %v, want 413 and big", f.Origin.Status, body, err)
				}
				if n, idle := f.Admission.Lease.(*lease).count(), p.servers[0].idleCount(); n != 1 || idle != 0 {
					t.Errorf("lease released %d times, %d idle connections, want 1 and 0", n, idle)
				}
			})
		}
	}
}

// TestBothWays streams content through an origin that answers while it reads: neither direction may wait for the other's end.
func TestBothWays(t *testing.T) {
	const total = 4 << 20
	for _, way := range ways {
		t.Run(way.name, func(t *testing.T) {
			room, zone := way.open(t, func(c net.Conn, r *bufio.Reader) {
				q, err := http.ReadRequest(r)
				if err != nil {
					return
				}
				io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 4194304\r\n\r\n")
				io.Copy(c, q.Body)
				ask(r)
			})
			p := compile(t, room, zone)
			f := posting(ordinary(), strings.Repeat("x", total), false)
			p.Fetch(f)
			body, err := drain(f)
			if len(body) != total || err != nil {
				t.Errorf("%d bytes, %v, refusal %+v, want %d", len(body), err, f.Origin.Refusal, total)
			}
			if n := f.Admission.Lease.(*lease).count(); n != 1 {
				t.Errorf("lease released %d times, want 1", n)
			}
		})
	}
}

// TestUploadBreaksOff fails the client's side while the response is being streamed.
func TestUploadBreaksOff(t *testing.T) {
	for _, way := range ways {
		t.Run(way.name, func(t *testing.T) {
			room, zone := way.open(t, func(c net.Conn, r *bufio.Reader) {
				http.ReadRequest(r)
				io.WriteString(c, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n")
				io.Copy(io.Discard, r)
			})
			p := compile(t, room, zone)
			f := posting(ordinary(), "", false)
			stop := make(chan struct{})
			f.Exchange.(*client).body = endless{stop}
			p.Fetch(f)
			if f.Origin.Refusal != nil {
				t.Fatalf("refusal %+v", f.Origin.Refusal)
			}
			s := f.Origin.Message.Stream
			if piece, err := s.Next(); string(piece) != "ok" || err != nil {
				t.Errorf("Next() = %q, %v, want ok", piece, err)
			}
			close(stop)
			if _, err := s.Next(); !errors.As(err, new(bodyError)) {
				t.Errorf("Next() after the client broke off: %v, want bodyError", err)
			}
			s.Close()
			if n, idle := f.Admission.Lease.(*lease).count(), p.servers[0].idleCount(); n != 1 || idle != 0 {
				t.Errorf("lease released %d times, %d idle connections, want 1 and 0", n, idle)
			}
		})
	}
}

// TestFullSocket sends more in the first write than the socket takes at once.
func TestFullSocket(t *testing.T) {
	room, zone := ways[0].open(t, func(c net.Conn, r *bufio.Reader) {
		if _, body, _ := ask(r); len(body) == bufferSize {
			io.WriteString(c, ok)
		}
	})
	room.Dial = func(ctx context.Context, network, address string) (net.Conn, error) {
		c, err := new(net.Dialer).DialContext(ctx, network, address)
		if err == nil {
			err = c.(*net.TCPConn).SetWriteBuffer(4 << 10)
		}
		return c, err
	}
	p := compile(t, room, zone)
	f := posting(ordinary(), strings.Repeat("x", bufferSize), true)
	p.Fetch(f)
	if body, err := drain(f); body != "ok" || err != nil {
		t.Errorf("body %q, %v, refusal %+v, want ok", body, err, f.Origin.Refusal)
	}
}
