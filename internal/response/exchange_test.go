package response

import (
	"encoding/binary"
	"errors"
	"io"
	"net/netip"
	"testing"
	"time"

	"github.com/seawall/seawall/httpcache"
	"github.com/seawall/seawall/internal/flow"
	"github.com/seawall/seawall/internal/spec"
	"github.com/seawall/seawall/reqid"
)

var (
	t0     = time.Date(2026, 11, 22, 21, 22, 28, 0, time.UTC)
	errOut = errors.New("connection reset")
)

const t0Date = "Sun, 22 Nov 2026 21:22:28 GMT"

// fakeExchange records what is written. failAt, if positive, is which call of WriteHead, WriteBody or Finish fails.
type fakeExchange struct {
	flow.Exchange
	failAt int

	calls    int
	status   int
	fields   []flow.Field
	length   int64
	pieces   []string
	last     bool // the last piece was flagged, and no other
	finished bool
	trailers []flow.Field
}

func (x *fakeExchange) call() error {
	if x.calls++; x.calls == x.failAt {
		return errOut
	}
	return nil
}

func (x *fakeExchange) WriteHead(status int, fields []flow.Field, length int64) error {
	x.status, x.fields, x.length = status, fields, length
	return x.call()
}

func (x *fakeExchange) WriteBody(p []byte, last bool) error {
	if x.last {
		panic("a piece after the last")
	}
	if len(p) > 0 {
		x.pieces = append(x.pieces, string(p))
	}
	x.last = last
	return x.call()
}

func (x *fakeExchange) WriteLent(p []byte, loan flow.Loan) error {
	err := x.WriteBody(p, true)
	loan.Return()
	return err
}

func (x *fakeExchange) SendsFiles() bool { return true }

func (x *fakeExchange) WriteFile(part flow.FilePart, loan flow.Loan) error {
	return x.WriteLent(make([]byte, part.Length), loan)
}

func (x *fakeExchange) Finish(trailers []flow.Field) error {
	x.trailers = trailers
	err := x.call()
	x.finished = err == nil
	return err
}

// fakeBody yields pieces and then end, with the last piece if together is set.
type fakeBody struct {
	pieces   []string
	end      error
	together bool
	trailers []flow.Field
	closed   int
}

func (b *fakeBody) Next() ([]byte, error) {
	if b.closed > 0 {
		panic("Next after Close")
	}
	if len(b.pieces) == 0 {
		return nil, b.end
	}
	piece := []byte(b.pieces[0])
	b.pieces = b.pieces[1:]
	if len(b.pieces) == 0 && b.together {
		return piece, b.end
	}
	return piece, nil
}

func (b *fakeBody) Trailers() []flow.Field { return b.trailers }
func (b *fakeBody) Close()                 { b.closed++ }

func sealer() *reqid.Sealer { return reqid.NewSealer([32]byte{1, 2, 3}) }

func policy(t testing.TB) *Policy {
	t.Helper()
	node := spec.DefaultNode()
	node.Name = "edge1"
	p, err := New(&node, sealer()).Compile(&spec.Zone{Name: "example"})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// request makes a flow with a request.
func request(method string, fields ...flow.Field) *flow.Flow {
	f := &flow.Flow{Exchange: &fakeExchange{}, Conn: &flow.Conn{}}
	f.Request = flow.Request{
		Received: t0, Client: netip.MustParseAddr("198.51.100.7"), Proto: "HTTP/1.1", Method: method, Host: "example.org", Target: "/", Fields: fields,
	}
	binary.BigEndian.PutUint64(f.Request.ID[:], uint64(t0.UnixMilli())<<16)
	return f
}

// fields makes fields of names and values by turns.
func fields(namesAndValues ...string) (fields []flow.Field) {
	for i := 0; i < len(namesAndValues); i += 2 {
		fields = append(fields, flow.Field{Name: namesAndValues[i], Value: namesAndValues[i+1]})
	}
	return fields
}

// fromOrigin makes a flow with an origin's message.
func fromOrigin(f *flow.Flow, status int, body string, fields ...flow.Field) *flow.Message {
	m := &flow.Message{Status: status, Fields: fields, Length: int64(len(body)), Stream: &fakeBody{pieces: []string{body}, end: io.EOF, together: true}}
	f.Origin = flow.Origin{Attempts: 1, Status: status, Message: m}
	f.Cache = flow.Cache{Status: flow.Bypass, Reason: "method is not GET or HEAD"}
	return m
}

// fromCache makes a flow hit a stored response.
func fromCache(t testing.TB, f *flow.Flow, status int, body string, fields ...flow.Field) *flow.Message {
	t.Helper()
	meta, refusal := httpcache.Store(&httpcache.Request{Method: "GET"}, &httpcache.Response{Status: status, Fields: fields}, t0, t0, httpcache.Policy{})
	if refusal != httpcache.Storable {
		t.Fatalf("the response can't be stored: %v", refusal)
	}
	m := &flow.Message{Status: status, Fields: meta.StoredFields(nil, fields), Length: int64(len(body)), Body: []byte(body)}
	f.Cache = flow.Cache{Status: flow.Hit, Reason: "still fresh", Message: m, Meta: &meta, Age: 12 * time.Second, TTL: 48 * time.Second}
	return m
}

// write writes the flow's response and returns what was written.
func write(t testing.TB, f *flow.Flow) *fakeExchange {
	t.Helper()
	policy(t).Write(f)
	if f.Response.Done.IsZero() {
		t.Error("Done was not set")
	}
	return f.Exchange.(*fakeExchange)
}
