package contrast

import (
	"encoding/binary"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func newFinder(tb testing.TB, s Schema, o Options) *Finder {
	tb.Helper()
	f, err := NewFinder(s, o)
	if err != nil {
		tb.Fatal(err)
	}
	return f
}

func TestNewFinderRefuses(t *testing.T) {
	tests := []struct {
		name    string
		schema  Schema
		options Options
		want    string
	}{
		{"no schema", nil, Options{}, "schema of 0 features"},
		{"too many terms", packets(), Options{Terms: 17}, "conjunctions of 17 terms"},
		{"negative terms", packets(), Options{Terms: -1}, "conjunctions of -1 terms"},
		{"none found", packets(), Options{Found: -1}, "-1 conjunctions to be found"},
		{"too many found", packets(), Options{Found: 65}, "65 conjunctions to be found"},
		{"negative samples", packets(), Options{MinSamples: -1}, "fewest samples of -1"},
		{"share", packets(), Options{MinShare: 1.5}, "least share of 1.5"},
		{"false", packets(), Options{MaxFalse: 1}, "false share of 1"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if _, err := NewFinder(tt.schema, tt.options); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error: got %v, want %q", err, tt.want)
			}
		})
	}
}

// TestOrdinary finds nothing in ordinary traffic, be it as much as always, a quarter, or the crowd that a link on television sends.
func TestOrdinary(t *testing.T) {
	t.Parallel()
	profile := ordinaryProfile()
	f := newFinder(t, packets(), Options{})
	for seed := range uint64(20) {
		w := fill(seed+100, 20000, 0, ordinary)
		for name, elapsed := range map[string]time.Duration{
			"a quarter": 4 * time.Minute, "as always": time.Minute, "twice": 30 * time.Second, "a crowd": time.Second, "no time": 0,
		} {
			r := f.Find(profile, w, elapsed)
			if len(r.Found) > 0 || len(r.Refused) > 0 {
				t.Errorf("%s, seed %d: found %v, refused %v, want nothing", name, seed, r.Found, r.Refused)
			}
		}
	}
}

// connections returns what makes ordinary traffic in which up to 50 packets after one another are of one connection.
func connections(seed uint64) func() packet {
	r := rand.New(rand.NewPCG(seed, 2))
	var p packet
	left := uint32(0)
	return func() packet {
		if left == 0 {
			p, left = ordinary(r), 1+r.Uint32N(50)
		}
		left--
		q := p
		q[ident] = r.Uint32N(1 << 16)
		if q[proto] == 6 {
			q[seq] += left * 1400
		}
		if q[payload] > 0 {
			q[payload] = between(r, 30, 1400)
			q[length] = 40 + q[payload]
			q[byte4], q[byte5], q[byte6] = r.Uint32N(256), r.Uint32N(256), r.Uint32N(256)
		}
		return q
	}
}

// TestConnections: ordinary samples that are not independent make the proof weaker than it says, and have values in common
// that come along with an attack's. What is found keeps to the bound all the same, and covers as much.
func TestConnections(t *testing.T) {
	t.Parallel()
	b, err := NewBaseline(packets(), Memory{Seed: 1})
	if err != nil {
		t.Fatal(err)
	}
	before, during, after := connections(1), connections(2), connections(3)
	w := NewWindow(packets(), 20000, 1)
	for range 8 {
		w.Reset()
		for range 20000 {
			p := before()
			w.Add(p[:], 1)
		}
		b.Learn(w, time.Minute)
	}
	others := make([]packet, 200000)
	for i := range others {
		others[i] = after()
	}
	f := newFinder(t, packets(), Options{})
	for _, tt := range floods() {
		r := rand.New(rand.NewPCG(1, 2))
		later := make([]packet, 2000)
		for i := range later {
			later[i] = tt.packet(r)
		}
		w.Reset()
		for range 20000 {
			p := during()
			if r.IntN(10) < 3 {
				p = tt.packet(r)
			}
			w.Add(p[:], 1)
		}
		result := f.Find(b.Profile(), w, 0)
		covered, wrong := share(result.Found, later), share(result.Found, others)
		if covered < tt.least-0.05 || wrong > 0.0001 {
			t.Errorf("%s: covers %.3f and wrongly %.6f by %v, want %.2f at least and 0.0001 at most", tt.name, covered, wrong, result.Found, tt.least-0.05)
		}
	}
}

// TestDrift finds nothing to refuse when visitors come in another mixture than they did.
func TestDrift(t *testing.T) {
	t.Parallel()
	f := newFinder(t, packets(), Options{})
	for name, more := range map[string]func(p *packet) bool{
		"more QUIC":          func(p *packet) bool { return p[proto] == 17 },
		"more of one system": func(p *packet) bool { return p[options] == optionsApple || p[ttl] > 64 },
		"more new visitors":  func(p *packet) bool { return p[flags] == syn },
		"more uploads":       func(p *packet) bool { return p[payload] > 1000 },
	} {
		w := fill(9, 20000, 0.9, func(r *rand.Rand) packet {
			p := ordinary(r)
			for range 3 {
				if more(&p) {
					break
				}
				p = ordinary(r)
			}
			return p
		})
		result := f.Find(ordinaryProfile(), w, 30*time.Second)
		if wrong := share(result.Found, unseen()); wrong > 0.0001 || len(result.Found) > 0 {
			t.Errorf("%s: found %v, which matches %.6f of ordinary traffic, want nothing", name, result.Found, wrong)
		}
	}
}

// TestProfileShared has finders of several goroutines look at one profile; the race detector looks on.
func TestProfileShared(t *testing.T) {
	w := func() *Window { return fill(3, 5000, 0.8, everything) }
	want := newFinder(t, packets(), Options{}).Find(ordinaryProfile(), w(), time.Second)
	var group sync.WaitGroup
	for range 4 {
		group.Go(func() {
			if diff := cmp.Diff(want, newFinder(t, packets(), Options{}).Find(ordinaryProfile(), w(), time.Second)); diff != "" {
				t.Errorf("found otherwise (-want +got):\n%s", diff)
			}
		})
	}
	group.Wait()
}

// TestPlanted: an attacker who wants visitors refused sends what visitors have, in full or in all but what he varies.
func TestPlanted(t *testing.T) {
	t.Parallel()
	f := newFinder(t, packets(), Options{})
	tests := []struct {
		name string
		is   func(p *packet) bool
		vary bool // the fields that are never the same
	}{
		{"visitors' packets", func(*packet) bool { return true }, false},
		{"visitors' SYNs", func(p *packet) bool { return p[flags] == syn }, false},
		{"visitors' SYNs with new numbers", func(p *packet) bool { return p[flags] == syn }, true},
		{"visitors' QUIC Initials", func(p *packet) bool { return p[proto] == 17 && p[byte1] == 0 }, true},
		{"the clock's answers", func(p *packet) bool { return p[sport] == 123 }, true},
		{"one system's SYNs", func(p *packet) bool {
			return p[flags] == syn && p[window] == 64240 && p[options] == optionsLinux && p[scale] == 7 && p[mss] == 1460
		}, true},
		{"SYNs from one distance", func(p *packet) bool { return p[flags] == syn && p[ttl] == 53 }, true},
		{"ACKs of one window", func(p *packet) bool { return p[flags] == ackFlag && p[window] < 300 }, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			from := slices.DeleteFunc(slices.Clone(unseen()[:len(unseen())/2]), func(p packet) bool { return !tt.is(&p) })
			result := f.Find(ordinaryProfile(), fill(3, 20000, 0.8, func(r *rand.Rand) packet {
				p := from[r.IntN(len(from))]
				if tt.vary {
					p[ident], p[seq], p[dport] = r.Uint32N(1<<16), r.Uint32(), 443
				}
				return p
			}), 12*time.Second)
			if wrong := share(result.Found, unseen()[len(unseen())/2:]); wrong > 0.0001 {
				t.Errorf("refuses %.6f of ordinary traffic by %v, want 0.0001 at most", wrong, result.Found)
			}
		})
	}
}

// TestRefused: what is too common to be refused is still told, with what it would do.
func TestRefused(t *testing.T) {
	profile := ordinaryProfile()
	f := newFinder(t, packets(), Options{})
	result := f.Find(profile, fill(3, 20000, 0.8, func(r *rand.Rand) packet {
		p := header(r, 17, pick(r, 52, 55))
		p[payload] = 48
		p.write(0x24, pick8(r, 1, 2, 3), pick8(r, 6, 10), 0xe9, 0, 0, 0)
		p.udp(123, 123)
		return p
	}), 12*time.Second)
	if len(result.Found) != 0 || len(result.Refused) != 1 {
		t.Fatalf("found %v, refused %v, want one refused", result.Found, result.Refused)
	}
	got := result.Refused[0]
	if got.Why != TooCommon || got.False < 0.002 || got.False > 0.004 || got.Covered < 0.99 {
		t.Errorf("refused %s for %v, false %.4f, covered %.3f: want %v, 0.003 and all", packets().Format(got.Conjunction), got.Why, got.False, got.Covered, TooCommon)
	}
}

// TestSlowPoison: an attacker sends a little of his flood for hours, so that it becomes ordinary, and then all of it. What is
// found by then refuses no more visitors than ever, and what is refused says by which share one might meter it.
func TestSlowPoison(t *testing.T) {
	t.Parallel()
	attack := func(r *rand.Rand) packet { return tcpFlood(r, 54, syn, 512, optionsNone) }
	b, err := NewBaseline(packets(), Memory{Seed: 1})
	if err != nil {
		t.Fatal(err)
	}
	for minute := range uint64(120) {
		b.Learn(fill(minute, 2000, 0.005, attack), time.Minute)
	}
	f := newFinder(t, packets(), Options{})
	result := f.Find(b.Profile(), fill(3, 20000, 0.8, attack), 2*time.Minute)
	if len(result.Found) != 0 || len(result.Refused) != 1 {
		t.Fatalf("found %v, refused %v, want one refused", result.Found, result.Refused)
	}
	if got := result.Refused[0]; got.Why != TooCommon || got.False < 0.003 || got.False > 0.007 || got.Covered < 0.99 {
		t.Errorf("refused for %v, false %.4f, covered %.3f: want %v, 0.005 and all", got.Why, got.False, got.Covered, TooCommon)
	}
}

// TestOnset: a flood that is learnt for a minute before anybody notices is found as if it had not been.
func TestOnset(t *testing.T) {
	t.Parallel()
	attack := func(r *rand.Rand) packet { return tcpFlood(r, 54, syn, 512, optionsNone) }
	b := learnt(1)
	b.Learn(fill(5, 50000, 0.95, attack), time.Minute)
	b.Learn(fill(6, 50000, 0.95, attack), 30*time.Second)
	f := newFinder(t, packets(), Options{})
	w := fill(3, 20000, 0.8, attack)
	for range 2 {
		if result := f.Find(b.Profile(), w, 12*time.Second); len(result.Found) != 1 || result.Found[0].Covered < 0.99 {
			t.Fatalf("found %v, want one that covers all", result.Found)
		}
		b.Discard()
	}
}

// TestWeightsCount: few samples of great weight are an excess, and many of little weight are none.
func TestWeightsCount(t *testing.T) {
	profile := ordinaryProfile()
	f := newFinder(t, packets(), Options{})
	tests := []struct {
		name    string
		samples int
		weight  float64
		found   int
		share   float64
	}{
		{"few and heavy", 100, 100, 1, 0.5},
		{"many and light", 10000, 0.01, 0, 0},
		{"too few, however heavy", 20, 1000, 0, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := fill(1, 10000, 0, ordinary)
			r := rand.New(rand.NewPCG(1, 2))
			for range tt.samples {
				p := tcpFlood(r, 54, syn, 512, optionsNone)
				w.Add(p[:], tt.weight)
			}
			result := f.Find(profile, w, 0)
			if len(result.Found) != tt.found {
				t.Fatalf("found %v, refused %v, want %d found", result.Found, result.Refused, tt.found)
			}
			for _, found := range result.Found {
				if found.Samples != tt.samples || found.Share < tt.share-0.01 || found.Share > tt.share+0.01 {
					t.Errorf("%d samples with a share of %.3f, want %d and %.3f", found.Samples, found.Share, tt.samples, tt.share)
				}
			}
		})
	}
}

// TestSmallWindow: what a tenth of a second brings may be few hundred samples.
func TestSmallWindow(t *testing.T) {
	t.Parallel()
	f := newFinder(t, packets(), Options{})
	for _, tt := range floods() {
		if tt.least < 0.99 {
			continue // too varied for so few
		}
		r := rand.New(rand.NewPCG(1, 2))
		later := make([]packet, 2000)
		for i := range later {
			later[i] = tt.packet(r)
		}
		result := f.Find(ordinaryProfile(), fill(2, 400, 0.8, tt.packet), 0)
		covered, wrong := share(result.Found, later), share(result.Found, unseen())
		if covered < 0.95 || wrong > 0.0001 {
			t.Errorf("%s: covers %.3f and wrongly %.6f by %v, want 0.95 at least and 0.0001 at most", tt.name, covered, wrong, result.Found)
		}
	}
}

// TestWeak: what only weak features tell apart is refused.
func TestWeak(t *testing.T) {
	schema := Schema{{Name: "strong"}, {Name: "weak", Weak: true}, {Name: "frail", Weak: true}}
	b, err := NewBaseline(schema, Memory{})
	if err != nil {
		t.Fatal(err)
	}
	r := rand.New(rand.NewPCG(1, 2))
	w := NewWindow(schema, maxRows, 1)
	for range 20 {
		w.Reset()
		for range 10000 {
			w.Add([]uint32{r.Uint32N(1 << 20), r.Uint32N(8), r.Uint32N(8)}, 1)
		}
		b.Learn(w, time.Minute)
	}
	tests := []struct {
		name   string
		strong func() uint32
		want   Reason
	}{
		{"with a strong one", func() uint32 { return 7 }, Safe},
		{"alone", func() uint32 { return r.Uint32N(1 << 20) }, TooWeak},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w.Reset()
			for range 5000 {
				w.Add([]uint32{r.Uint32N(1 << 20), r.Uint32N(8), r.Uint32N(8)}, 1)
				w.Add([]uint32{tt.strong(), 100, 200}, 1)
			}
			result := newFinder(t, schema, Options{}).Find(b.Profile(), w, 0)
			all := slices.Concat(result.Found, result.Refused)
			if len(all) != 1 || all[0].Why != tt.want {
				t.Errorf("got %+v, want one that is %v", all, tt.want)
			}
		})
	}
}

// TestWeakShared: attackers who have a weak value in common that ordinary traffic has not are found one by one, by what is strong in each;
// and a strong term that most of ordinary traffic matches, too, does not count.
func TestWeakShared(t *testing.T) {
	t.Parallel()
	attack := func(r *rand.Rand) packet {
		p := everything(r)
		p[tos] = 184
		return p
	}
	r := rand.New(rand.NewPCG(1, 2))
	later := make([]packet, 10000)
	for i := range later {
		later[i] = attack(r)
	}
	f := newFinder(t, packets(), Options{})
	for _, n := range []int{4000, 20000} {
		result := f.Find(ordinaryProfile(), fill(1, n, 0.9, attack), time.Second)
		if covered, wrong := share(result.Found, later), share(result.Found, unseen()); covered < 0.8 || wrong > 0.0001 {
			t.Errorf("%d samples: covers %.3f and wrongly %.6f, want 0.8 at least and 0.0001 at most", n, covered, wrong)
		}
		for _, found := range result.Found {
			if !slices.ContainsFunc(found.Conjunction, func(term Term) bool {
				share, _ := ordinaryProfile().False(Conjunction{term})
				return !packets()[term.Feature].Weak && share < 0.51
			}) {
				t.Errorf("%d samples: found %s, want a term of it to be strong", n, packets().Format(found.Conjunction))
			}
		}
	}
}

// TestUnproven: a baseline of an hour's few samples proves little, and says so.
func TestUnproven(t *testing.T) {
	b, err := NewBaseline(packets(), Memory{})
	if err != nil {
		t.Fatal(err)
	}
	f := newFinder(t, packets(), Options{})
	w := fill(3, 20000, 0.8, floods()[0].packet)
	for range 2 {
		result := f.Find(b.Profile(), w, time.Second)
		if len(result.Found) != 0 || len(result.Refused) == 0 || result.Refused[0].Why != TooUnproven {
			t.Errorf("with %d rows: found %v, refused %v, want it refused for %v", b.Profile().Rows(), result.Found, result.Refused, TooUnproven)
		}
		for minute := range uint64(10) {
			b.Learn(fill(minute, 100, 0, ordinary), time.Minute)
		}
	}
	loose := newFinder(t, packets(), Options{MaxFalse: 0.01})
	if result := loose.Find(b.Profile(), w, 40*time.Minute); len(result.Found) != 1 || result.Found[0].Covered < 0.99 {
		t.Errorf("with a looser bound: found %v, refused %v, want it found", result.Found, result.Refused)
	}
}

// TestFindNothingToLookAt: empty windows and windows of other schemas have nothing in them.
func TestFindNothingToLookAt(t *testing.T) {
	profile := ordinaryProfile()
	other := NewWindow(Schema{{Name: "a"}}, 10, 1)
	other.Add([]uint32{1}, 1)
	f := newFinder(t, packets(), Options{})
	for _, w := range []*Window{NewWindow(packets(), 10, 1), other} {
		if got := f.Find(profile, w, time.Second); len(got.Found)+len(got.Refused) > 0 || got.Excess != 0 {
			t.Errorf("got %v, want nothing", got)
		}
	}
}

// TestDeterministic: the same seed, the same result, whatever the finder did before.
func TestDeterministic(t *testing.T) {
	t.Parallel()
	profile, again := ordinaryProfile(), learnt(1).Profile()
	f := newFinder(t, packets(), Options{Seed: 3})
	w := fill(3, 20000, 0.8, everything)
	want := f.Find(profile, w, time.Second)
	f.Find(profile, fill(4, 5000, 0.5, everything), time.Second)
	for _, got := range []Result{
		f.Find(profile, w, time.Second),
		newFinder(t, packets(), Options{Seed: 3}).Find(again, fill(3, 20000, 0.8, everything), time.Second),
	} {
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("found otherwise (-want +got):\n%s", diff)
		}
	}
	if len(want.Found) == 0 {
		t.Error("found nothing")
	}
}

// A world is ordinary traffic of kinds, each with habits of its own, for properties that are to hold in any.
type world struct {
	schema Schema
	kinds  [][]uint32 // what a kind's features are drawn from: the number of values, each the kind's own
}

func drawWorld(t *rapid.T) world {
	var w world
	n := rapid.IntRange(4, 12).Draw(t, "features")
	for i := range n {
		f := Feature{Name: string(rune('a' + i))}
		if rapid.Bool().Draw(t, "ordered") {
			f.Widest = rapid.SampledFrom([]uint32{4, 64, 4096}).Draw(t, "widest")
		}
		f.List = rapid.IntRange(0, 8).Draw(t, "list")
		w.schema = append(w.schema, f)
	}
	for range rapid.IntRange(1, 6).Draw(t, "kinds") {
		w.kinds = append(w.kinds, rapid.SliceOfN(rapid.SampledFrom([]uint32{1, 2, 5, 40, 1000, 1 << 20}), n, n).Draw(t, "kind"))
	}
	return w
}

func (w *world) sample(r *rand.Rand, values []uint32) {
	kind := r.IntN(len(w.kinds))
	for i, n := range w.kinds[kind] {
		values[i] = uint32(kind)*3 + uint32(float64(n)*r.Float64()*r.Float64())
	}
}

func (w *world) learn(t *rapid.T, r *rand.Rand) *Profile {
	b, err := NewBaseline(w.schema, Memory{Rows: 16384})
	if err != nil {
		t.Fatal(err)
	}
	window := NewWindow(w.schema, maxRows, r.Uint64())
	values := make([]uint32, len(w.schema))
	for range 9 {
		window.Reset()
		for range 4096 {
			w.sample(r, values)
			window.Add(values, 1)
		}
		b.Learn(window, time.Minute)
	}
	return b.Profile()
}

// drawAttack returns terms of an attack: some features are fixed, or in a narrow range, and the others as ordinary traffic has them.
func (w *world) drawAttack(t *rapid.T) Conjunction {
	var c Conjunction
	for i := range w.schema {
		if rapid.IntRange(0, 2).Draw(t, "fixed") == 0 {
			lo := rapid.Uint32Range(0, 60).Draw(t, "lo")
			c = append(c, Term{i, []Span{{lo, lo + rapid.Uint32Range(0, min(w.schema[i].Widest, 40)).Draw(t, "width")}}})
		}
	}
	return c
}

// TestProperties: in any world, with any attacks, what is found keeps to the bound on traffic that nobody has seen, and covers
// the attacks that the baseline does not know.
func TestProperties(t *testing.T) {
	t.Parallel()
	const most = 0.002
	rapid.Check(t, func(t *rapid.T) {
		w := drawWorld(t)
		r := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 1))
		profile := w.learn(t, r)
		attacks := []Conjunction{w.drawAttack(t), w.drawAttack(t)}
		attacked := rapid.Float64Range(0, 0.9).Draw(t, "attacked")
		window := NewWindow(w.schema, maxRows, 1)
		values := make([]uint32, len(w.schema))
		hostile := func(c Conjunction) {
			w.sample(r, values)
			for _, term := range c {
				values[term.Feature] = between(r, term.In[0].Lo, term.In[0].Hi)
			}
		}
		for range 8000 {
			if r.Float64() < attacked {
				hostile(attacks[r.IntN(2)])
			} else {
				w.sample(r, values)
			}
			window.Add(values, 1)
		}
		f, err := NewFinder(w.schema, Options{MaxFalse: most, Terms: 12})
		if err != nil {
			t.Fatal(err)
		}
		result := f.Find(profile, window, 0)
		matched := func() bool {
			return slices.ContainsFunc(result.Found, func(f Found) bool { return f.Conjunction.Match(values) })
		}
		wrong := 0
		const unseen = 20000
		for range unseen {
			if w.sample(r, values); matched() {
				wrong++
			}
		}
		if float64(wrong) > 1.5*most*unseen {
			t.Fatalf("%v match %d of %d unseen, want a share of %g", result.Found, wrong, unseen, most)
		}
		for _, c := range attacks {
			if share, _ := profile.False(c); share > 0 || len(c) == 0 || attacked < 0.1 {
				continue
			}
			covered := 0
			for range 2000 {
				hostile(c)
				if matched() {
					covered++
				}
			}
			// What is left of an attack may be too little to be looked for.
			if left := 1 - float64(covered)/2000; left > 0.1 && left*attacked/2 > 1.5*f.options.MinShare {
				t.Fatalf("attack by %s is covered to %.3f by %v (refused %v)", w.schema.Format(c), float64(covered)/2000, result.Found, result.Refused)
			}
		}
	})
}

// TestTogether: a bound on each of many conjunctions would be no bound. A third of the traffic is of eight kinds that are rare among visitors;
// each alone is within the bound, and only as many of them are refused as are together.
func TestTogether(t *testing.T) {
	t.Parallel()
	const most, kinds = 0.002, 8
	schema := Schema{{Name: "kind"}}
	b, err := NewBaseline(schema, Memory{})
	if err != nil {
		t.Fatal(err)
	}
	r := rand.New(rand.NewPCG(1, 2))
	visitor := func() uint32 {
		if r.Float64() < kinds*0.0006 {
			return 1 + r.Uint32N(kinds)
		}
		return 100 + r.Uint32N(1000)
	}
	w := NewWindow(schema, 20000, 1)
	for range 8 {
		w.Reset()
		for range 20000 {
			w.Add([]uint32{visitor()}, 1)
		}
		b.Learn(w, time.Minute)
	}
	w.Reset()
	for range 10000 {
		w.Add([]uint32{visitor()}, 1)
		w.Add([]uint32{1 + r.Uint32N(kinds)}, 1)
	}
	result := newFinder(t, schema, Options{MaxFalse: most}).Find(b.Profile(), w, 30*time.Second)
	var all []Conjunction
	for _, found := range result.Found {
		all = append(all, found.Conjunction)
	}
	share, bound := b.Profile().False(all...)
	if n := len(all); n < 2 || n >= kinds || result.FalseBound > most || result.False > most || share > most || bound > most {
		t.Errorf("%d found match %.5f together, bound %.5f (of all rows %.5f, %.5f): want 2 to %d, and %g at most", n, result.False, result.FalseBound, share, bound, kinds-1, most)
	}
	if len(result.Refused) == 0 || result.Refused[0].Why != TooCommon {
		t.Errorf("refused %v, want what has no room", result.Refused)
	}
}

// FuzzFind feeds it any samples, and holds the result to what it promises.
func FuzzFind(f *testing.F) {
	f.Add([]byte{3, 1, 2, 3, 4, 5, 6, 7, 8}, uint8(2))
	f.Add(slices.Repeat([]byte{1, 0, 0, 0}, 400), uint8(0))
	f.Add(slices.Repeat([]byte{255, 255, 255, 255, 7, 0, 0, 0, 9, 9}, 400), uint8(200))
	schema := Schema{
		{Name: "a", Widest: 1000, List: 3}, {Name: "b"}, {Name: "c", Widest: 1 << 31, List: 32}, {Name: "d", List: 8, Weak: true},
	}
	b, err := NewBaseline(schema, Memory{Rows: 4096})
	if err != nil {
		f.Fatal(err)
	}
	r := rand.New(rand.NewPCG(1, 2))
	w := NewWindow(schema, 4096, 1)
	for range 5 {
		for range 2000 {
			w.Add([]uint32{r.Uint32N(2000), r.Uint32N(5), r.Uint32(), r.Uint32N(300)}, 1)
		}
		b.Learn(w, time.Minute)
	}
	profile := b.Profile()
	f.Fuzz(func(t *testing.T, data []byte, shape uint8) {
		w := NewWindow(schema, 1+int(shape)*8, 1)
		for len(data) >= 10 {
			w.Add([]uint32{
				binary.LittleEndian.Uint32(data), uint32(data[4]), binary.LittleEndian.Uint32(data[4:]) >> (shape % 32), uint32(data[8]),
			}, float64(data[9]))
			data = data[10-min(int(shape%3)*3, len(data)-10):]
		}
		o := Options{MaxFalse: 0.01, MinSamples: 1 + int(shape%8), MinShare: 0.01, Terms: 1 + int(shape%4)}
		checkResult(t, schema, o, profile, w, newFinder(t, schema, o).Find(profile, w, time.Second))
	})
}

// checkResult holds a result to what is promised of any.
func checkResult(t *testing.T, s Schema, o Options, p *Profile, w *Window, result Result) {
	t.Helper()
	var sum float64
	for _, found := range result.Found {
		text := s.Format(found.Conjunction)
		if found.Why != Safe || found.FalseBound > o.MaxFalse || found.False > found.FalseBound {
			t.Errorf("%s is found: %v, false %g, bound %g", text, found.Why, found.False, found.FalseBound)
		}
		if n := len(found.Conjunction); n < 1 || n > o.Terms {
			t.Errorf("%s has %d terms, want 1 to %d", text, n, o.Terms)
		}
		if found.Samples < o.MinSamples || found.Covered < 0 || found.Covered > 1 {
			t.Errorf("%s matches %d samples and covers %g", text, found.Samples, found.Covered)
		}
		strong := false
		for i, term := range found.Conjunction {
			strong = strong || !s[term.Feature].Weak
			if i > 0 && term.Feature <= found.Conjunction[i-1].Feature {
				t.Errorf("%s is not in order", text)
			}
			checkTerm(t, &s[term.Feature], term, text)
		}
		if !strong {
			t.Errorf("%s is weak", text)
		}
		sum += found.Share
	}
	if result.FalseBound > o.MaxFalse && len(result.Found) > 0 {
		t.Errorf("all that is found is wrong for up to %g, want %g at most", result.FalseBound, o.MaxFalse)
	}
	if sum > 1+1e-9 || result.Excess > 1+1e-9 {
		t.Errorf("found %g of the weight, excess %g, want 1 at most", sum, result.Excess)
	}
	seen := 0
	values := make([]uint32, len(s))
	for row := range w.Len() {
		for i := range values {
			values[i] = w.columns[i].values[row]
		}
		if slices.ContainsFunc(result.Found, func(f Found) bool { return f.Conjunction.Match(values) }) {
			seen++
		}
	}
	for _, found := range result.Found {
		seen -= found.Samples
	}
	if seen != 0 {
		t.Errorf("%d samples match that were not counted", seen)
	}
}

func checkTerm(t *testing.T, f *Feature, term Term, text string) {
	t.Helper()
	if n := len(term.In); n < 1 || n > max(f.List, 1) {
		t.Errorf("%s lists %d spans, want 1 to %d", text, n, max(f.List, 1))
	}
	for i, s := range term.In {
		if s.Lo > s.Hi || s.Hi-s.Lo > f.Widest || s.Hi == Absent {
			t.Errorf("%s has a span %v, want %d wide at most", text, s, f.Widest)
		}
		if i > 0 && s.Lo <= term.In[i-1].Hi {
			t.Errorf("%s has spans that are not in order", text)
		}
	}
}
