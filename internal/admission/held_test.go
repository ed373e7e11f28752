package admission

import (
	"bytes"
	"errors"
	"io"
	"os"
	"testing"
	"testing/iotest"

	"github.com/seawall/seawall/internal/flow"
	"github.com/seawall/seawall/internal/spec"
)

// sender is an exchange whose body comes from a reader, and counts what was asked for.
type sender struct {
	flow.Exchange
	body    io.Reader
	arrived bool
	asked   int
}

func (s *sender) Arrived() bool { return s.arrived }
func (s *sender) ReadBody(p []byte) (int, error) {
	s.asked++
	return s.body.Read(p)
}

// TestHeld: a small body that has not arrived is read before its request takes a share, and is there to be read again; others are not touched.
func TestHeld(t *testing.T) {
	whole := bytes.Repeat([]byte("0123456789abcdef"), maxBody/16)
	broken := errors.New("broken")
	tests := []struct {
		name        string
		length      int64
		body        io.Reader
		arrived     bool
		taken       int64 // of what may be held, by others
		wantRead    bool
		want        int // bytes that are read in the end
		wantRefusal int
	}{
		{"small", 10, bytes.NewReader(whole[:10]), false, 0, true, 10, 0},
		{"byte by byte", 5000, iotest.OneByteReader(bytes.NewReader(whole[:5000])), false, 0, true, 5000, 0},
		{"with its end", 5000, iotest.DataErrReader(bytes.NewReader(whole[:5000])), false, 0, true, 5000, 0},
		{"largest", maxBody, bytes.NewReader(whole), false, 0, true, maxBody, 0},
		{"too large", maxBody + 1, bytes.NewReader(whole), false, 0, false, maxBody, 0},
		{"of unknown length", -1, bytes.NewReader(whole), false, 0, false, maxBody, 0},
		{"none", 0, bytes.NewReader(nil), false, 0, false, 0, 0},
		{"here already", 10, bytes.NewReader(whole[:10]), true, 0, false, 10, 0},
		{"no room", 10, bytes.NewReader(whole[:10]), false, maxHeld, false, 10, 0},
		{"room for its beginning", maxBody, bytes.NewReader(whole), false, maxHeld - waiterCost - 4*firstRoom, true, maxBody, 0},
		{"breaks off", 11, bytes.NewReader(whole[:10]), false, 0, true, 0, 400},
		{"breaks", 11, io.MultiReader(bytes.NewReader(whole[:10]), iotest.ErrReader(broken)), false, 0, true, 0, 400},
		{"stands still", 11, io.MultiReader(bytes.NewReader(whole[:10]), iotest.ErrReader(os.ErrDeadlineExceeded)), false, 0, true, 0, 408},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			room := New(nil)
			room.held.bytes.Store(tt.taken)
			p := compile(t, room, spec.Budget{Concurrent: 1})
			s := &sender{body: tt.body, arrived: tt.arrived}
			f := newFlow(source(0, 0))
			f.Request.Length, f.Exchange = tt.length, s
			p.Admit(f)
			if got := room.held.bytes.Load(); got != tt.taken {
				t.Errorf("got %d bytes held at the end, want %d", got, tt.taken)
			}
			if got := s.asked > 0; got != tt.wantRead {
				t.Errorf("read before admission: got %t, want %t", got, tt.wantRead)
			}
			if tt.wantRefusal != 0 {
				if r := f.Admission.Refusal; r == nil || r.Status != tt.wantRefusal || r.Reason != flow.BodyBroken {
					t.Errorf("got refusal %+v, want status %d", r, tt.wantRefusal)
				}
				checkLoad(t, p, Load{})
				return
			}
			checkLoad(t, p, Load{Concurrent: 1})
			var got bytes.Buffer
			buffer := make([]byte, 777)
			for err := error(nil); err == nil; {
				var n int
				n, err = f.Exchange.ReadBody(buffer)
				got.Write(buffer[:n])
			}
			if !bytes.Equal(got.Bytes(), whole[:tt.want]) {
				t.Errorf("got a body of %d bytes, want the %d sent", got.Len(), tt.want)
			}
		})
	}
}

// BenchmarkAdmitArrived is a form that has arrived with its head.
func BenchmarkAdmitArrived(b *testing.B) {
	p := compile(b, New(nil), spec.Budget{Concurrent: 1})
	f := newFlow(source(0, 0))
	f.Request.Length, f.Exchange = 100, &sender{arrived: true}
	b.ReportAllocs()
	for b.Loop() {
		p.Admit(f)
		f.Admission.Lease.Release()
	}
}
