package reqid

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"
)

var anID = ID{0x01, 0x93, 0x55, 0xaa, 0x00, 0xff, 0x12, 0x34, 0xde, 0xad, 0xbe, 0xef}

func TestID(t *testing.T) {
	if got, want := anID.Time(), time.UnixMilli(0x019355aa00ff).UTC(); got != want {
		t.Errorf("Time: got %v, want %v", got, want)
	}
	if got, want := anID.Node(), uint16(0x1234); got != want {
		t.Errorf("Node: got %#x, want %#x", got, want)
	}
	tests := []struct {
		name string
		id   ID
		want string
	}{
		{"zero", ID{}, "00000000000000000000"},
		{"first bit", ID{0x80}, "g0000000000000000000"},
		{"last bit", ID{11: 1}, "0000000000000000000g"},
		{"all ones", ID(bytes.Repeat([]byte{0xff}, 12)), "zzzzzzzzzzzzzzzzzzzg"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := tt.id.String(); got != tt.want {
				t.Errorf("String: got %s, want %s", got, tt.want)
			}
			if got, want := string(tt.id.Append([]byte("id="))), "id="+tt.want; got != want {
				t.Errorf("Append: got %s, want %s", got, want)
			}
		})
	}
}

func TestParse(t *testing.T) {
	tests := []struct {
		name    string
		in      string
		want    ID
		wantErr string
	}{
		{name: "as printed", in: anID.String(), want: anID},
		{name: "upper case and space", in: "\t " + strings.ToUpper(anID.String()) + "\n", want: anID},
		{name: "confusable", in: "oOoOiIlL000000000000", want: ID{0, 0, 0x00, 0x84, 0x21}},
		{name: "empty", in: " ", wantErr: "it has 0 characters, not 20 or, sealed, 46"},
		{name: "short", in: "0000000000000000000", wantErr: "it has 19 characters"},
		{name: "between", in: strings.Repeat("0", 45), wantErr: "it has 45 characters"},
		{name: "u", in: "0000u000000000000000", wantErr: `character 5, "u", is none of`},
		{name: "not ASCII", in: "000000000000000000é", wantErr: `character 19, "\xc3", is none of`},
		{name: "in the block", in: strings.Repeat("0", 45) + "-", wantErr: `character 46, "-", is none of`},
		{name: "padding", in: "00000000000000000001", wantErr: `character 20 cannot be '1' there`},
		{name: "padding of the block", in: strings.Repeat("0", 45) + "1", wantErr: `character 46 cannot be '1' there`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, _, isSealed, err := Parse(tt.in)
			if tt.wantErr != "" {
				if !errors.Is(err, ErrNotID) || !strings.Contains(err.Error(), tt.wantErr) {
					t.Fatalf("got error %v, want ErrNotID with %q", err, tt.wantErr)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if got != tt.want || isSealed {
				t.Errorf("got %x, sealed %v, want %x, not sealed", got, isSealed, tt.want)
			}
		})
	}
}

// TestSortOrder: text compares as bytes do, and later ids of a node are greater.
func TestSortOrder(t *testing.T) {
	ids := rapid.Custom(func(t *rapid.T) ID {
		return ID(rapid.SliceOfN(rapid.SampledFrom([]byte{0, 1, 127, 128, 255}), 12, 12).Draw(t, "bytes"))
	})
	rapid.Check(t, func(t *rapid.T) {
		a, b := ids.Draw(t, "a"), ids.Draw(t, "b")
		if got, want := strings.Compare(a.String(), b.String()), bytes.Compare(a[:], b[:]); got != want {
			t.Fatalf("%v and %v: text compares %d, bytes %d", a, b, got, want)
		}
	})
	g, now := NewGenerator(1, 4), time.UnixMilli(1_700_000_000_000)
	for i := range 100 {
		a, b := g.Next(i, now), g.Next(i+1, now.Add(time.Millisecond))
		if a.String() >= b.String() {
			t.Fatalf("got %v before %v, want it after", b, a)
		}
		now = now.Add(time.Millisecond)
	}
}

func TestGenerator(t *testing.T) {
	now := time.Now()
	tests := []struct {
		name          string
		shards, shard int
	}{
		{"one shard", 1, 0},
		{"any number", 1, -7},
		{"not a power of two", 3, 2},
		{"most", maxShards, maxShards - 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			id := NewGenerator(0xbeef, tt.shards).Next(tt.shard, now)
			if got, want := id.Time(), now.UTC().Truncate(time.Millisecond); !got.Equal(want) {
				t.Errorf("got time %v, want %v", got, want)
			}
			if got, want := id.Node(), uint16(0xbeef); got != want {
				t.Errorf("got node %#x, want %#x", got, want)
			}
		})
	}
}

// TestUnique makes ids in one millisecond, from more goroutines than shards, across the end of each counter.
func TestUnique(t *testing.T) {
	const goroutines, each = 8, 5000
	g, now := NewGenerator(1, 4), time.Now()
	for i := range g.shards {
		g.shards[i].n.Store(1<<30 - each)
	}
	ids := make([]ID, goroutines*each)
	var wg sync.WaitGroup
	for n := range goroutines {
		wg.Go(func() {
			for i := range each {
				ids[n*each+i] = g.Next(n, now)
			}
		})
	}
	wg.Wait()
	slices.SortFunc(ids, func(a, b ID) int { return bytes.Compare(a[:], b[:]) })
	if got, want := len(slices.Compact(ids)), goroutines*each; got != want {
		t.Errorf("got %d different ids, want %d", got, want)
	}
}

func TestStartsAtRandom(t *testing.T) {
	now := time.UnixMilli(0)
	a, b := NewGenerator(1, 1), NewGenerator(1, 1)
	if a.Next(0, now) == b.Next(0, now) && a.Next(0, now) == b.Next(0, now) {
		t.Error("two generators start at the same sequence number")
	}
}

// FuzzParse: what parses is printed again as it was typed, but for the liberties Parse takes.
func FuzzParse(f *testing.F) {
	f.Add(anID.String())
	f.Add(" " + strings.ToUpper(anID.String()))
	f.Add("oOoOiIlL000000000000")
	f.Add(strings.Repeat("z", 19) + "g" + strings.Repeat("z", 25) + "w")
	f.Add("00000000000000000001")
	canonical := strings.NewReplacer("o", "0", "i", "1", "l", "1")
	f.Fuzz(func(t *testing.T, text string) {
		id, sealed, isSealed, err := Parse(text)
		if err != nil {
			if !errors.Is(err, ErrNotID) || id != (ID{}) || isSealed {
				t.Fatalf("got %v, %v with error %v", id, isSealed, err)
			}
			return
		}
		got := id.Append(nil)
		if isSealed {
			got = appendBase32(got, sealed[:])
		}
		if want := canonical.Replace(strings.ToLower(strings.TrimSpace(text))); string(got) != want {
			t.Fatalf("got %s, want %s", got, want)
		}
	})
}

func BenchmarkNext(b *testing.B) {
	g, now := NewGenerator(1, 4), time.Now()
	b.Run("one shard", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			g.Next(0, now)
		}
	})
	b.Run("parallel, one shard", func(b *testing.B) {
		b.ReportAllocs()
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				g.Next(0, now)
			}
		})
	})
}

func BenchmarkAppend(b *testing.B) {
	dst := make([]byte, 0, idText)
	b.ReportAllocs()
	for b.Loop() {
		anID.Append(dst)
	}
}

func BenchmarkParse(b *testing.B) {
	text := anID.String()
	b.ReportAllocs()
	for b.Loop() {
		Parse(text)
	}
}
