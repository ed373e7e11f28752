package rules

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// looked returns the leaves that a lookup finds in a value.
func looked(l *lookup, leaves int, v Value) []int {
	m := &Machine{judged: judged{truth: newBits(leaves)}}
	s := &Set{leaves: make([]answer, leaves)}
	l.find(&v, found{s, m})
	var found []int
	for n := range leaves {
		if m.judged.truth.has(n) {
			found = append(found, n)
		}
	}
	return found
}

// A lookup finds what putting a value to every test finds, whichever form the value has.
func TestLookup(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		word := rapid.StringOfN(rapid.RuneFrom([]rune("abAé")), 0, 5, -1)
		tests := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) test {
			w := word.Draw(t, "literal")
			return rapid.SampledFrom([]test{
				&bytesTest{w}, &setTest{map[string]struct{}{w: {}, "ab": {}}}, &prefixTest{w}, &suffixTest{w}, &containsTest{newNeedle(w)},
				&containsTest{newNeedle(w)},
			}).Draw(t, "test")
		}), 1, 12).Draw(t, "tests")
		var l lookup
		for n, test := range tests {
			l.add(n, test)
		}
		if left := l.build(); len(left) > 0 {
			t.Fatalf("no room for %v", left)
		}
		for range 4 {
			text := strings.Join(rapid.SliceOfN(word, 0, 4).Draw(t, "text"), "")
			for _, v := range []Value{BytesValue(text), rawValue([]byte(text))} {
				var want []int
				for n, test := range tests {
					if test.holds(nil, v) {
						want = append(want, n)
					}
				}
				if got := looked(&l, len(tests), v); !slices.Equal(got, want) {
					t.Fatalf("%q: got %v, want %v", text, got, want)
				}
			}
		}
	})
}

// A literal may end within the beginning of another, in which a third ends.
func TestLiteralsWithinLiterals(t *testing.T) {
	var l lookup
	for n, literal := range []string{"xabc", "abcz", "bc", "c", "zz"} {
		l.add(n, &containsTest{newNeedle(literal)})
	}
	l.build()
	if got, want := looked(&l, 5, BytesValue("--xabc--")), []int{0, 2, 3}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

// Of what a filter needs, that is looked for which few others need.
func TestFewCandidates(t *testing.T) {
	s, err := NewScheme([]Field{{Name: "host", Type: Bytes}, {Name: "path", Type: Bytes}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	var filters []*Filter
	for n := range 100 {
		f, err := Compile(s, fmt.Sprintf(`host eq "a" and starts_with(path, "/") and path contains "/page%d."`, n))
		if err != nil {
			t.Fatal(err)
		}
		filters = append(filters, f)
	}
	m := NewMachine(s)
	m.Reset(pair{BytesValue("a"), BytesValue("/page7.html")})
	if got := NewSet(filters).Next(m, 0); got != 7 {
		t.Errorf("got filter %d, want 7", got)
	}
	count := 0
	for n := range filters {
		if m.judged.candidates.has(n) {
			count++
		}
	}
	if count != 1 {
		t.Errorf("%d filters were judged, want 1", count)
	}
}

// One large request does not cost its arena forever.
func TestArenaShrinks(t *testing.T) {
	s, err := NewScheme([]Field{{Name: "a", Type: Bytes}, {Name: "b", Type: Bytes}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	f, err := Compile(s, `lower(a) eq "x"`)
	if err != nil {
		t.Fatal(err)
	}
	m := NewMachine(s)
	for _, size := range []int{100, 200 << 10, 100} {
		m.Reset(pair{BytesValue(strings.Repeat("y", size)), Value{}})
		if cap(m.arena) > kept {
			t.Errorf("the arena keeps %d bytes, want %d at most", cap(m.arena), kept)
		}
		f.Match(m)
	}
}

func TestLookupOfNumbers(t *testing.T) {
	edge := rapid.SampledFrom([]int64{-1 << 63, -3, -2, 0, 1, 2, 3, 5, 8, 1<<63 - 1})
	rapid.Check(t, func(t *rapid.T) {
		tests := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) test {
			var ranges []numbers
			for range rapid.IntRange(1, 3).Draw(t, "ranges") {
				a, b := edge.Draw(t, "a"), edge.Draw(t, "b")
				ranges = append(ranges, numbers{intNumber(min(a, b)), intNumber(max(a, b))})
			}
			return &rangeTest{merge(ranges)}
		}), 1, 8).Draw(t, "tests")
		var l lookup
		for n, test := range tests {
			l.add(n, test)
		}
		l.build()
		for _, n := range []int64{-1 << 63, -4, -3, -2, -1, 0, 1, 2, 3, 4, 5, 6, 8, 9, 1<<63 - 1} {
			var want []int
			for i, test := range tests {
				if test.holds(nil, IntValue(n)) {
					want = append(want, i)
				}
			}
			if got := looked(&l, len(tests), IntValue(n)); !slices.Equal(got, want) {
				t.Fatalf("%d: got %v, want %v", n, got, want)
			}
		}
	})
}

// What there is no room for is left to be asked one by one, and the rest is found.
func TestLookupIsBounded(t *testing.T) {
	var l lookup
	long := strings.Repeat("x", maxStates-10)
	for n, literal := range []string{"abc", long, "bcd" + long, "bc"} {
		l.add(n, &containsTest{newNeedle(literal)})
	}
	if left := l.build(); !slices.Equal(left, []int{2}) {
		t.Errorf("got no room for %v, want for 2", left)
	}
	if got := looked(&l, 4, BytesValue("abc")); !slices.Equal(got, []int{0, 3}) {
		t.Errorf("got %v, want 0 and 3", got)
	}

	var nested lookup
	const leaves = 1500 // each range lies in the one before, which makes a million entries
	for n := range leaves {
		nested.add(n, &rangeTest{[]numbers{{intNumber(int64(n)), intNumber(int64(3*leaves - n))}}})
	}
	if left := nested.build(); len(left) != leaves {
		t.Errorf("got no room for %d ranges, want for all %d", len(left), leaves)
	}
	if got := looked(&nested, leaves, IntValue(leaves)); got != nil {
		t.Errorf("got %v, want none", got)
	}
}

// A set with more than its lookups take is as right as any.
func TestSetBeyondLookups(t *testing.T) {
	s, err := NewScheme([]Field{{Name: "n", Type: Int}, {Name: "s", Type: Bytes}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	var filters []*Filter
	for n := range 1500 {
		for _, text := range []string{fmt.Sprintf("n in {%d..%d}", n, 4500-n), fmt.Sprintf(`s contains "%d%s"`, n, strings.Repeat("y", 20))} {
			f, err := Compile(s, text)
			if err != nil {
				t.Fatal(err)
			}
			filters = append(filters, f)
		}
	}
	m, set := NewMachine(s), NewSet(filters)
	m.Reset(pair{IntValue(700), BytesValue("1499" + strings.Repeat("y", 20))})
	count := 0
	for i := set.Next(m, 0); i >= 0; i = set.Next(m, i+1) {
		if !filters[i].Match(m) {
			t.Errorf("%v holds in the set, and not alone", filters[i])
		}
		count++
	}
	if want := 701 + 4; count != want { // of the texts those of 1499, 499, 99 and 9
		t.Errorf("got %d that hold, want %d", count, want)
	}
}

// Regular expressions are looked for by their hints, as long as those have room.
func TestHintsInSet(t *testing.T) {
	s, err := NewScheme([]Field{{Name: "n", Type: Int}, {Name: "s", Type: Bytes}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	compile := func(text string) *Filter {
		f, err := Compile(s, text)
		if err != nil {
			t.Fatal(err)
		}
		return f
	}
	filters := []*Filter{
		compile(`s matches "(?i)(curl|wget)/[0-9]"`), compile(`not s matches "wget"`), compile(`s matches "^curl$" and n eq 1`),
		compile(`s matches "curl" or n eq 2`), compile(`n eq 1 and not s matches "(?i)(curl|wget)/[0-9]"`),
	}
	for n := range 50 { // more than there is room for
		filters = append(filters, compile(fmt.Sprintf(`s matches "%d%s"`, n, strings.Repeat("y", 900))))
	}
	set, m := NewSet(filters), NewMachine(s)
	for _, text := range []string{"", "curl", "CURL/8", "wget", "Wget/1 curl", "xx", "33" + strings.Repeat("y", 900), strings.Repeat("y", 900)} {
		for n := range 3 {
			m.Reset(pair{IntValue(int64(n)), BytesValue(text)})
			next := set.Next(m, 0)
			for i, f := range filters {
				if got, want := next == i, f.Match(m); got != want {
					t.Errorf("%v of %q and %d: got %v, want %v", f, text, n, got, want)
				}
				if next == i {
					next = set.Next(m, i+1)
				}
			}
			lower := strings.ToLower(text)
			if got, want := m.judged.known.has(0), strings.Contains(lower, "curl") || strings.Contains(lower, "wget"); got != want {
				t.Errorf("the first expression was tried on %q: got %v, want %v", text, got, want)
			}
		}
	}
	if set.leaves[0].lookup < 0 || set.leaves[len(filters)].lookup >= 0 {
		t.Error("want a lookup for the first expression, and none for the last")
	}
}

// pair is the Source of a number and a text.
type pair [2]Value

func (p pair) Value(i int) Value { return p[i] }
