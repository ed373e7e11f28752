package cache

import (
	"bytes"
	"errors"
	"io"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/seawall/seawall/internal/flow"
	"github.com/seawall/seawall/internal/spec"
)

// testSize and testObject are the memory of rooms in tests.
const (
	testSize   = 16 << 20
	testObject = 2 << 20
)

func newPolicy(t testing.TB) *Policy {
	t.Helper()
	return newPolicyOf(t, testSize, testObject, 1000)
}

func newPolicyOf(t testing.TB, size, object spec.Size, waiters int) *Policy {
	t.Helper()
	room, err := New(&spec.Node{Cache: spec.Memory{Size: size, Object: object}})
	if err != nil {
		t.Fatal(err)
	}
	return compile(t, room, "zone", waiters)
}

// newPolicyFor makes a policy of a zone that differs from the default.
func newPolicyFor(t testing.TB, change func(*spec.Zone)) *Policy {
	t.Helper()
	room, err := New(&spec.Node{Cache: spec.Memory{Size: testSize, Object: testObject}})
	if err != nil {
		t.Fatal(err)
	}
	z := spec.DefaultZone()
	z.Name = "zone"
	change(&z)
	p, err := room.Compile(&z)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func compile(t testing.TB, room *Room, name string, waiters int) *Policy {
	t.Helper()
	p, err := room.Compile(&spec.Zone{Name: name, Cache: spec.Cache{Enabled: true, Waiters: waiters}})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// get is a GET for a path, perhaps with a query; fields are "Name: value".
func get(target string, fields ...string) *flow.Flow {
	path, query, hasQuery := strings.Cut(target, "?")
	return &flow.Flow{
		Abort: &flow.Abort{},
		Request: flow.Request{
			Received: time.Now(), Scheme: "https", Method: "GET", Host: "example.org",
			Path: path, Query: query, HasQuery: hasQuery, Fields: lines(fields...),
		},
	}
}

func lines(fields ...string) []flow.Field {
	var fs []flow.Field
	for _, f := range fields {
		name, value, _ := strings.Cut(f, ": ")
		fs = append(fs, flow.Field{Name: name, Value: value})
	}
	return fs
}

// response is an origin's answer with a body that comes whole with its head.
func response(status int, body string, fields ...string) *flow.Message {
	return &flow.Message{Status: status, Fields: lines(fields...), Length: int64(len(body)), Stream: pieces(io.EOF, body)}
}

// scripted is an origin's body. Each Next takes one step; when there is none it waits for one, or for the flow's Abort, as
// origin does.
type scripted struct {
	steps  chan step
	abort  *flow.Abort
	gone   chan struct{}
	closed chan struct{}
}

type step struct {
	data string
	err  error
}

func newScripted(abort *flow.Abort) *scripted {
	return &scripted{
		steps: make(chan step, 1<<10), abort: abort,
		gone: make(chan struct{}, 1), closed: make(chan struct{}),
	}
}

// pieces is a body of these pieces, the last of which comes with err.
func pieces(err error, data ...string) *scripted {
	s := newScripted(&flow.Abort{})
	for i, d := range data {
		if i == len(data)-1 {
			s.steps <- step{d, err}
		} else {
			s.steps <- step{d, nil}
		}
	}
	return s
}

func (s *scripted) Next() ([]byte, error) {
	if !s.abort.Watch(s) {
		return nil, errAborted
	}
	defer s.abort.Unwatch()
	select {
	case st := <-s.steps:
		return []byte(st.data), st.err
	case <-s.gone:
		return nil, errAborted
	}
}

var errAborted = errors.New("aborted")

func (s *scripted) Interrupt() {
	select {
	case s.gone <- struct{}{}:
	default:
	}
}

func (s *scripted) Trailers() []flow.Field { return nil }

func (s *scripted) Close() { close(s.closed) }

func (s *scripted) isClosed() bool {
	select {
	case <-s.closed:
		return true
	default:
		return false
	}
}

// run sends a flow down the path with an origin that answers with fetch's message, or its refusal.
func run(p *Policy, f *flow.Flow, fetch func(f *flow.Flow) (*flow.Message, *flow.Refusal)) Outcome {
	p.Lookup(f)
	if f.Cache.Message != nil || f.Cache.Refusal != nil {
		return Served
	}
	outcome := p.Join(f)
	if outcome == Served {
		return outcome
	}
	f.Origin.Message, f.Origin.Refusal = fetch(f)
	switch {
	case outcome == Pass:
	case f.Origin.Message != nil:
		p.Keep(f)
	default:
		p.Abandon(f)
	}
	return outcome
}

// fetch runs a flow with an origin that answers with m, and reads the message that the flow gets.
func fetch(t *testing.T, p *Policy, f *flow.Flow, m *flow.Message) string {
	t.Helper()
	abort := f.Abort
	run(p, f, func(*flow.Flow) (*flow.Message, *flow.Refusal) { return m, nil })
	if f.Abort != abort {
		t.Errorf("the flow's Abort was not given back")
	}
	body, err := read(f)
	if err != nil {
		t.Fatalf("reading the response: %v", err)
	}
	return body
}

// read reads and closes the message that a flow got, and gives back what was lent.
func read(f *flow.Flow) (string, error) {
	m := f.Message()
	if m == nil {
		return "", errors.New("no message")
	}
	if m.Stream == nil {
		defer m.Repay()
		if part := m.File; part.Length > 0 {
			b := make([]byte, part.Length)
			_, err := syscall.Pread(part.File.FD(), b, part.Offset)
			return string(b), err
		}
		return string(m.Body), nil
	}
	defer m.Stream.Close()
	var b bytes.Buffer
	for {
		piece, err := m.Stream.Next()
		b.Write(piece)
		if err == io.EOF {
			return b.String(), nil
		}
		if err != nil {
			return b.String(), err
		}
	}
}

// mustHit checks that a flow is answered at once, with a body.
func mustHit(t *testing.T, p *Policy, f *flow.Flow, want string) {
	t.Helper()
	p.Lookup(f)
	if f.Cache.Status != flow.Hit || f.Cache.Message == nil {
		t.Fatalf("Lookup(%s): got %v (%s), want hit", f.Request.Path, f.Cache.Status, f.Cache.Reason)
	}
	if got := string(f.Cache.Message.Body); got != want {
		t.Fatalf("Lookup(%s): got body of %d bytes, want %d: %.40q", f.Request.Path, len(got), len(want), got)
	}
}

// mustMiss checks that a flow is not answered by Lookup.
func mustMiss(t *testing.T, p *Policy, f *flow.Flow) {
	t.Helper()
	p.Lookup(f)
	if f.Cache.Message != nil {
		t.Fatalf("Lookup(%s): got %v, want no answer", f.Request.Path, f.Cache.Status)
	}
}

// httpDate is a time as a field value.
func httpDate(t time.Time) string { return t.UTC().Format("Mon, 02 Jan 2006 15:04:05 GMT") }

func itoa(n int) string { return strconv.Itoa(n) }
