package contrast

import (
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// TestTable compares a table with looking at every row.
func TestTable(t *testing.T) {
	value := rapid.OneOf(rapid.Uint32Range(0, 5), rapid.Uint32(), rapid.Just(uint32(Absent)), rapid.Uint32Range(250, 260))
	span := rapid.Custom(func(t *rapid.T) Span {
		lo, hi := value.Draw(t, "lo"), value.Draw(t, "hi")
		return Span{min(lo, hi), max(lo, hi)}
	})
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(0, 300).Draw(t, "rows")
		table := table{rows: n, columns: make([]column, 2)}
		var sorting sorter
		for i := range table.columns {
			c := &table.columns[i]
			c.values = rapid.SliceOfN(value, n, n).Draw(t, "values")
			sorting.index(c)
			if rapid.Bool().Draw(t, "remember") {
				c.remember()
			}
		}
		c := Conjunction{{0, []Span{span.Draw(t, "a")}}, {1, []Span{span.Draw(t, "b")}}}
		want := 0
		for row := range n {
			if c.Match([]uint32{table.columns[0].values[row], table.columns[1].values[row]}) {
				want++
			}
		}
		if got := table.matches(c); got != want {
			t.Fatalf("matches of %v: got %d, want %d", c, got, want)
		}
		bits := make(bitset, words(n))
		table.columns[0].mark(c[0].In, bits)
		for row, v := range table.columns[0].values {
			if got, want := bits[row/64]>>(row%64)&1 == 1, has(c[0].In, v); got != want {
				t.Fatalf("bit %d of %v in %v: got %t, want %t", row, c[0].In, v, got, want)
			}
		}
		if got, want := table.columns[0].size(c[0].In), bits.count(); got != want {
			t.Fatalf("size: got %d, want %d", got, want)
		}
		if !slices.IsSorted(table.columns[0].distinct) {
			t.Fatalf("not in order: %v", table.columns[0].distinct)
		}
	})
}
