package record

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// model is a ring that keeps all lines ever.
type model struct {
	lines []string
	taken int // lines taken or lost
}

// there returns from which line on the lines are whole in a ring of a size.
func (m *model) there(size int) int {
	n := 0
	for i, line := range slices.Backward(m.lines) {
		if n += len(line); n > size {
			return i + 1
		}
	}
	return 0
}

// TestRingAgreesWithModel: what is taken are whole lines, in order, and each line is taken once or counted as lost once. A line that is
// only just there may be counted as lost if the one before it is.
func TestRingAgreesWithModel(t *testing.T) {
	const size, longest = 256, 40
	rapid.Check(t, func(t *rapid.T) {
		r, m := newRing(size), &model{}
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			for range rapid.IntRange(0, 12).Draw(t, "lines") {
				line := fmt.Sprintf("%d%s\n", len(m.lines), strings.Repeat("x", rapid.IntRange(0, longest-5).Draw(t, "length")))
				r.add([]byte(line))
				m.lines = append(m.lines, line)
			}
			room := rapid.IntRange(longest, 2*size).Draw(t, "room")
			out, lost := r.take([]byte("before"), room)
			oldest := m.there(size)
			if least := max(oldest-m.taken, 0); lost < least || lost > least+1 || lost > 0 && least == 0 {
				t.Fatalf("got %d lines lost, want %d", lost, least)
			}
			m.taken += lost
			got, ok := strings.CutPrefix(string(out), "before")
			if !ok || len(got) > room {
				t.Fatalf("got %q, want at most %d bytes behind what was there", out, room)
			}
			n := strings.Count(got, "\n")
			if want := strings.Join(m.lines[m.taken:m.taken+n], ""); got != want {
				t.Fatalf("got %q, want %q", got, want)
			}
			m.taken += n
			if m.taken < len(m.lines) && len(got)+len(m.lines[m.taken]) <= room {
				t.Fatalf("got %q, which leaves room for %q", got, m.lines[m.taken])
			}
			if got, want := r.behind, len(m.lines)-m.taken; got != want {
				t.Fatalf("got %d lines behind, want %d", got, want)
			}
		}
	})
}

func TestRingFullToTheByte(t *testing.T) {
	r := newRing(8)
	for _, line := range []string{"abc\n", "def\n"} {
		r.add([]byte(line))
	}
	got, lost := r.take(nil, 100)
	if string(got) != "abc\ndef\n" || lost != 0 {
		t.Errorf("got %q and %d lost, want all", got, lost)
	}
	r.add([]byte("1234567\n"))
	r.add([]byte("xyz\n"))
	r.add([]byte("uvw\n"))
	if got, lost := r.take(nil, 100); string(got) != "uvw\n" || lost != 2 {
		t.Errorf("got %q and %d lost, want the last line and 2 lost", got, lost)
	}
	if got, lost := r.take(nil, 100); len(got) != 0 || lost != 0 {
		t.Errorf("got %q and %d lost again", got, lost)
	}
}

func TestFind(t *testing.T) {
	r := newRoom(t, nil)
	p := policy(t, r, "example")
	const flows = 1000
	for i := range flows {
		f := hit()
		f.Request.ID = idOf(uint32(i))
		f.Conn.Shard = uint32(i)
		p.Add(f)
	}
	kept := 0
	for i := range flows {
		id := idOf(uint32(i)).String()
		line, ok := r.Find(id)
		if !ok {
			if i > flows-100 {
				t.Errorf("flow %d, which is recent, was not found", i)
			}
			continue
		}
		kept++
		if e, err := Parse(line); err != nil || e.ID != id || e.Agent == "" {
			t.Fatalf("flow %d: got %+v, error %v, want its whole line", i, e, err)
		}
	}
	if size := len(r.shards) * minRing; kept < size/700-10 || kept > size/500 {
		t.Errorf("got %d lines of %d bytes of rings", kept, size)
	}
	for _, id := range []string{"", "x", idOf(flows).String(), `"`, "\n"} {
		if line, ok := r.Find(id); ok {
			t.Errorf("%q: got %s", id, line)
		}
	}
}

// TestFindAcrossPieces: a ring is searched piece by piece, and lines lie across their borders.
func TestFindAcrossPieces(t *testing.T) {
	r := &Room{shards: make([]shard, 1)}
	r.shards[0].ring = newRing(findStep + findStep/2)
	p := policy(t, r, "example")
	n := uint32(0)
	for ; r.shards[0].ring.written < 2*findStep; n++ {
		f := hit()
		f.Request.ID = idOf(n)
		p.Add(f)
	}
	ring := &r.shards[0].ring
	lines := ring.appendRange(nil, ring.oldest(), ring.written)
	at, checked := 0, 0
	for line := range bytes.Lines(lines) {
		at += len(line)
		border := at > findStep-3*len(line) && at < findStep+3*len(line)
		if at == len(line) || !border && at < len(lines) {
			continue // the first one may lack its beginning
		}
		checked++
		e, err := Parse(line)
		if err != nil {
			t.Fatal(err)
		}
		if got, ok := r.Find(e.ID); !ok || string(got)+"\n" != string(line) {
			t.Errorf("at %d: got %q, want %q", at, got, line)
		}
	}
	if checked < 5 {
		t.Errorf("got %d lines to look for", checked)
	}
}
