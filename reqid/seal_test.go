package reqid

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

var (
	aKey       = [32]byte{0: 1, 31: 2}
	anEvidence = Evidence{Zone: 0xdeadbeef, Rule: 0x01020304, Reason: 7}
)

func seal(s *Sealer, id ID, e Evidence) string {
	return string(s.AppendSealed(nil, id, e))
}

// sealedOf is the text of a sealed id of any bytes.
func sealedOf(id ID, sealed [16]byte) string {
	return string(appendBase32(id.Append(nil), sealed[:]))
}

func TestSeal(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		bytes := rapid.SliceOfN(rapid.Byte(), 44, 44).Draw(t, "key and id")
		s, id := NewSealer([32]byte(bytes)), ID(bytes[32:])
		want := Evidence{rapid.Uint32().Draw(t, "zone"), rapid.Uint32().Draw(t, "rule"), rapid.Uint8().Draw(t, "reason")}
		text := seal(s, id, want)
		if len(text) != sealedText || !strings.HasPrefix(text, id.String()) {
			t.Fatalf("got %s, want %d characters that begin with %v", text, sealedText, id)
		}
		if again := string(s.AppendSealed([]byte("id="), id, want)); again != "id="+text {
			t.Fatalf("got %s appended, want %s", again, text)
		}
		gotID, got, err := s.Open(" " + strings.ToUpper(text) + "\n")
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" || gotID != id {
			t.Fatalf("got id %v, want %v; evidence -want +got:\n%s", gotID, id, diff)
		}
	})
}

// TestSealVector fixes the format: texts shown to visitors must open in later versions.
func TestSealVector(t *testing.T) {
	const want = "069nbag0zw939qndqvqggnh2m2tq59s8sffvtsbc1gbj5w"
	if got := seal(NewSealer(aKey), anID, anEvidence); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestEveryBitIsSealed(t *testing.T) {
	s := NewSealer(aKey)
	id, sealed, _, err := Parse(seal(s, anID, anEvidence))
	if err != nil {
		t.Fatal(err)
	}
	for bit := range 8 * (len(id) + len(sealed)) {
		id, sealed := id, sealed
		if i := bit / 8; i < len(id) {
			id[i] ^= 1 << (bit % 8)
		} else {
			sealed[i-len(id)] ^= 1 << (bit % 8)
		}
		if _, e, err := s.Open(sealedOf(id, sealed)); err != ErrSeal || e != (Evidence{}) {
			t.Errorf("bit %d flipped: got %+v, error %v, want %v", bit, e, err, ErrSeal)
		}
	}
}

func TestOpenErrors(t *testing.T) {
	s, text := NewSealer(aKey), seal(NewSealer(aKey), anID, anEvidence)
	first, second := aKey, aKey
	first[15] ^= 1
	second[16] ^= 1
	other := anID
	other[11]++
	tests := []struct {
		name   string
		sealer *Sealer
		text   string
		want   error
	}{
		{"not an id", s, "hello", ErrNotID},
		{"padding", s, text[:sealedText-1] + "z", ErrNotID},
		{"not sealed", s, anID.String(), ErrNotSealed},
		{"first half of the key differs", NewSealer(first), text, ErrSeal},
		{"second half of the key differs", NewSealer(second), text, ErrSeal},
		{"moved to another id", s, other.String() + text[idText:], ErrSeal},
		{"zeros", s, strings.Repeat("0", sealedText), ErrSeal},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, got, err := tt.sealer.Open(tt.text)
			if !errors.Is(err, tt.want) || got != (Evidence{}) {
				t.Errorf("got %+v, error %v, want error %v", got, err, tt.want)
			}
		})
	}
}

// FuzzOpen: nothing opens but what the key sealed.
func FuzzOpen(f *testing.F) {
	s := NewSealer(aKey)
	f.Add(seal(s, anID, anEvidence))
	f.Add(seal(NewSealer([32]byte{}), anID, anEvidence))
	f.Add(anID.String())
	f.Add(strings.Repeat("0", sealedText))
	canonical := strings.NewReplacer("o", "0", "i", "1", "l", "1")
	f.Fuzz(func(t *testing.T, text string) {
		id, e, err := s.Open(text)
		switch {
		case err == nil:
			if got, want := seal(s, id, e), canonical.Replace(strings.ToLower(strings.TrimSpace(text))); got != want {
				t.Fatalf("opened %s, which is sealed as %s", want, got)
			}
		case e != (Evidence{}):
			t.Fatalf("got %+v with error %v", e, err)
		case !errors.Is(err, ErrNotID) && err != ErrNotSealed && err != ErrSeal:
			t.Fatalf("got error %v", err)
		}
	})
}

func TestAppendSealedDoesNotAllocate(t *testing.T) {
	s, dst := NewSealer(aKey), make([]byte, 0, sealedText)
	if got := testing.AllocsPerRun(100, func() { s.AppendSealed(dst, anID, anEvidence) }); got != 0 {
		t.Errorf("got %v allocations, want 0", got)
	}
}

func BenchmarkAppendSealed(b *testing.B) {
	s, dst := NewSealer(aKey), make([]byte, 0, sealedText)
	b.ReportAllocs()
	for b.Loop() {
		s.AppendSealed(dst, anID, anEvidence)
	}
}

func BenchmarkOpen(b *testing.B) {
	s := NewSealer(aKey)
	text := seal(s, anID, anEvidence)
	b.ReportAllocs()
	for b.Loop() {
		s.Open(text)
	}
}
