package packet

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// A kernel stands for the program: it judges samples by the signatures in force, and shows them all.
type kernel struct {
	Filter     // whose other methods nobody calls
	signatures []Signature
	matched    []Count
	counters   [Reasons]Count
	samples    []Sample
	now        time.Time
}

func (k *kernel) Samples(each func(*Sample)) error {
	for i := range k.samples {
		each(&k.samples[i])
	}
	k.samples = k.samples[:0]
	return nil
}

func (k *kernel) SetSignatures(signatures []Signature) error {
	if len(signatures) > MaxSignatures {
		return fmt.Errorf("%d signatures", len(signatures))
	}
	k.signatures, k.matched = slices.Clone(signatures), make([]Count, MaxSignatures)
	return nil
}

func (k *kernel) Signatures() ([]Signature, error) { return slices.Clone(k.signatures), nil }

func (k *kernel) SignatureCounts() ([]Count, error) { return slices.Clone(k.matched), nil }

func (k *kernel) Counters() (list []Counter, err error) {
	for r, c := range k.counters {
		list = append(list, Counter{Reason: Reason(r), Count: c})
	}
	return list, nil
}

// receive judges a packet, and reports whether it was dropped by a signature.
func (k *kernel) receive(s Sample) bool {
	if i := slices.IndexFunc(k.signatures, func(f Signature) bool { return f.Until.After(k.now) && f.Match(&s) }); i >= 0 {
		k.matched[i].Packets++
		if !k.signatures[i].Monitor {
			s.Reason = BySignature
		}
	}
	k.counters[s.Reason].Packets++
	s.Time = k.now
	k.samples = append(k.samples, s)
	return s.Reason == BySignature
}

// watched is a kernel and who looks at it.
type watched struct {
	*testing.T
	kernel
	detector *Detector
	random   *rand.Rand
}

const (
	look  = 50 * time.Millisecond
	usual = 900    // packets between two looks, 18,000 a second
	floor = 40_000 // packets a second
)

// watch has a detector that knows what is ordinary.
func watch(t *testing.T, o DetectorOptions) *watched {
	w := &watched{T: t, random: rand.New(rand.NewPCG(1, 2))}
	w.now = time.Unix(1_800_000_000, 0)
	o.Floor, o.Slot, o.Log = floor, time.Second, slog.New(slog.DiscardHandler)
	var err error
	if w.detector, err = NewDetector(&w.kernel, o); err != nil {
		t.Fatal(err)
	}
	for range 8 * int(time.Second/look) {
		w.look(w.ordinary)
	}
	return w
}

// look has packets come in, and the detector look. It returns how many of the flood and of the ordinary ones were dropped.
func (w *watched) look(packet func() Sample) (dropped int) {
	w.Helper()
	for range usual {
		if w.receive(packet()) {
			dropped++
		}
	}
	w.now = w.now.Add(look)
	if err := w.detector.Look(w.now); err != nil {
		w.Fatal(err)
	}
	return dropped
}

// flooded has a flood of so many packets come in beside the ordinary ones.
func (w *watched) flooded(n int, flood func(*rand.Rand) Sample) (dropped int) {
	for range n {
		if w.receive(flood(w.random)) {
			dropped++
		}
	}
	w.look(w.ordinary)
	return dropped
}

func (w *watched) texts() string {
	var texts []string
	for _, s := range w.detector.Signatures() {
		texts = append(texts, s.Text)
	}
	return strings.Join(texts, "; ")
}

// system is how visitors' machines open connections.
type system struct {
	ttl, window, mss, scale, layout, timestamps uint32
}

func systems() []system {
	return []system{
		{64, 64240, 1460, 7, OptionLayout(2, 4, 8, 1, 3), 1}, // Linux
		{128, 64240, 1460, 8, OptionLayout(2, 1, 3, 1, 1, 4), 0},
		{128, 65535, 1400, 8, OptionLayout(2, 1, 3, 1, 1, 4), 0},
		{64, 65535, 1460, 6, OptionLayout(2, 1, 3, 1, 1, 8, 4, 0), 1},
		{64, 65535, 1400, 9, OptionLayout(2, 4, 8, 1, 3), 1},
		{64, 65535, 1360, 8, OptionLayout(2, 4, 8, 1, 3), 1},
	}
}

func pick[T any](r *rand.Rand, of ...T) T { return of[r.IntN(len(of))] }

// blank is a packet of no protocol.
func blank(r *rand.Rand, protocol, ttl, length uint32) Sample {
	s := Sample{Frame: make([]byte, 100), Network: 14, Length: int(length)}
	f := &s.Features
	f[Version], f[Source2], f[Source3], f[Protocol], f[TTL], f[Length], f[ID] = 4, 0xffff, r.Uint32(), protocol, ttl, length, r.Uint32()<<16|0x4000
	f[SourcePort], f[Port] = 1024+r.Uint32N(64000), 443
	return s
}

// put gives a packet a payload of which these are the first bytes.
func (s *Sample) put(length uint32, first []byte) {
	s.Payload, s.Features[PayloadLength] = 54, length
	s.Frame, s.Length = append(s.Frame[:54:54], first...), 40+int(length)
}

func segment(r *rand.Rand, flags, ttl, window uint32) Sample {
	s := blank(r, protocolTCP, ttl, 40)
	f := &s.Features
	f[Flags], f[Window], f[Sequence] = flags, window, r.Uint32()
	if flags&flagACK != 0 {
		f[Acknowledged] = r.Uint32()
	}
	return s
}

func datagram(r *rand.Rand, port, length uint32, first ...byte) Sample {
	s := blank(r, protocolUDP, 40+r.Uint32N(24), 28+length)
	s.Features[SourcePort] = port
	for len(first) < payloadBytes {
		first = append(first, byte(r.Uint32()))
	}
	s.put(length, first)
	return s
}

// ordinary is a packet of a visitor's.
func (w *watched) ordinary() Sample {
	r := w.random
	of := systems()[r.IntN(6)]
	ttl := of.ttl - 6 - r.Uint32N(14)
	if r.IntN(12) == 0 {
		s := segment(r, flagSYN, ttl, of.window)
		f := &s.Features
		f[MSS], f[WindowScale], f[TCPOptions], f[Length] = of.mss, of.scale, of.layout, 60-8*(1-of.timestamps)
		return s
	}
	s := segment(r, pick[uint32](r, 16, 16, 16, 24, 24, 24, 17, 4), ttl, r.Uint32N(2000)+of.timestamps*400)
	f := &s.Features
	f[Length] += 12 * of.timestamps
	if of.timestamps == 1 {
		f[TCPOptions] = OptionLayout(1, 1, 8)
	}
	if f[Flags] == 24 {
		n := 40 + r.Uint32N(1300)
		f[Length] += n
		s.put(n, binary.BigEndian.AppendUint32([]byte{23, 3, 3, byte(n >> 8)}, r.Uint32()))
	}
	return s
}

type attack struct {
	name  string
	make  func(r *rand.Rand) Sample
	least float64 // the share of it that has to be dropped
}

// attacks are some that tools and reflectors make.
func attacks() []attack {
	options := func(s Sample, layout, mss, scale uint32) Sample {
		s.Features[TCPOptions], s.Features[MSS], s.Features[WindowScale] = layout, mss, scale
		return s
	}
	return []attack{
		{"SYN, one window", func(r *rand.Rand) Sample { return segment(r, 2, 54, 512) }, 0.99},
		{"SYN, random window", func(r *rand.Rand) Sample { return segment(r, 2, 30+r.Uint32N(30), r.Uint32N(65536)) }, 0.95},
		{"SYN, one TTL, a visitor's options", func(r *rand.Rand) Sample {
			return options(segment(r, 2, 241, 29200), OptionLayout(2, 4, 8, 1, 3), 1460, 7)
		}, 0.99},
		{"SYN, as Mirai", func(r *rand.Rand) Sample {
			return options(segment(r, 2, 40+r.Uint32N(20), r.Uint32N(65536)), OptionLayout(2, 4, 8, 1, 3), 1400+r.Uint32N(16), 6)
		}, 0.75},
		{"SYN, an odd size of segments", func(r *rand.Rand) Sample {
			return options(segment(r, 2, 40+r.Uint32N(20), 64240), OptionLayout(2, 4, 8, 1, 3), 1220, 7)
		}, 0.99},
		{"SYN to many ports", func(r *rand.Rand) Sample {
			s := segment(r, 2, 60, 1024)
			s.Features[Port] = r.Uint32N(65536)
			return s
		}, 0.99},
		{"ACK", func(r *rand.Rand) Sample { return segment(r, 16, 30+r.Uint32N(200), 65535) }, 0.95},
		{"ACK, one byte", func(r *rand.Rand) Sample {
			s := segment(r, 24, 40+r.Uint32N(20), 229)
			s.put(1, []byte{0, 0, 0, 0, 0, 0, 0, 0})
			s.Features[Length] = 41
			return s
		}, 0.99},
		{"RST", func(r *rand.Rand) Sample { return segment(r, 20, 40+r.Uint32N(20), 0) }, 0.99},
		{"FIN", func(r *rand.Rand) Sample { return segment(r, 1, 60, 4096) }, 0.99},
		{"Christmas tree", func(r *rand.Rand) Sample { return segment(r, 0x3f, 40+r.Uint32N(20), r.Uint32N(65536)) }, 0.99},
		{"SYN-ACK", func(r *rand.Rand) Sample {
			s := options(segment(r, 18, 40+r.Uint32N(20), pick[uint32](r, 65535, 28960, 14600)), OptionLayout(2), 1460, 0)
			s.Features[SourcePort] = pick[uint32](r, 80, 443)
			return s
		}, 0.99},
		{"DNS", func(r *rand.Rand) Sample {
			return datagram(r, 53, 900+r.Uint32N(500), byte(r.Uint32()), byte(r.Uint32()), 0x81, 0x80)
		}, 0.99},
		{"NTP", func(r *rand.Rand) Sample {
			return datagram(r, 123, 440, 0xd7, byte(r.Uint32N(100)), 3, 0x2a, 0, 6, 0, 0x48)
		}, 0.99},
		{"SSDP", func(r *rand.Rand) Sample { return datagram(r, 1900, 250+r.Uint32N(200), []byte("HTTP/1.1")...) }, 0.99},
		{"CLDAP", func(r *rand.Rand) Sample { return datagram(r, 389, 1200+r.Uint32N(272), 0x30, 0x84, 0, 0) }, 0.99},
		{"memcached", func(r *rand.Rand) Sample { return datagram(r, 11211, 1400, 0, 0, 0, byte(r.Uint32())) }, 0.99},
		{"ISAKMP", func(r *rand.Rand) Sample { return datagram(r, 500, 84+r.Uint32N(90)) }, 0.99},
		{"chargen", func(r *rand.Rand) Sample { return datagram(r, 19, 74+r.Uint32N(900), byte(32+r.Uint32N(95))) }, 0.99},
		{"SNMP", func(r *rand.Rand) Sample { return datagram(r, 161, 300+r.Uint32N(1000), 0x30, 0x82) }, 0.99},
		{"QUIC Initial", func(r *rand.Rand) Sample { return datagram(r, 1024+r.Uint32N(64000), 1200, 0xc3, 0, 0, 0, 1) }, 0.99},
		{"UDP, one length", func(r *rand.Rand) Sample { return datagram(r, 1024+r.Uint32N(64000), 512) }, 0.99},
		{"fragments", func(r *rand.Rand) Sample {
			s := blank(r, protocolUDP, 40+r.Uint32N(20), 1500)
			s.Features[ID] = r.Uint32()<<16 | 185 + r.Uint32N(4000)
			s.Features[SourcePort], s.Features[Port] = 0, 0
			return s
		}, 0.99},
		{"echo", func(r *rand.Rand) Sample {
			s := blank(r, protocolICMP, 40+r.Uint32N(20), 1428)
			s.Features[Flags], s.Features[SourcePort], s.Features[Port] = 8, 0, 0
			return s
		}, 0.99},
	}
}

// TestDetector finds one flood after the other when it looks first, drops nothing else, and lets the signature go when the flood is over.
func TestDetector(t *testing.T) {
	w := watch(t, DetectorOptions{})
	if got := w.texts(); got != "" {
		t.Fatalf("got signatures %s before any flood", got)
	}
	const packets = 4000 // between two looks: 80,000 a second
	for _, tt := range attacks() {
		w.flooded(packets, tt.make)
		dropped := w.flooded(packets, tt.make)
		t.Logf("%s: %d of %d: %s", tt.name, dropped, packets, w.texts())
		if dropped < int(tt.least*packets) {
			t.Errorf("%s: dropped %d of %d after one look, want %.0f %%", tt.name, dropped, packets, 100*tt.least)
		}
		wrong := 0
		for range 40 {
			wrong += w.look(w.ordinary)
		}
		if limit := 40 * usual / 10000; wrong > limit {
			t.Errorf("%s: dropped %d of %d ordinary packets by %s, want %d at most", tt.name, wrong, 40*usual, w.texts(), limit)
		}
		for range int((hold + 2*time.Second) / look) {
			w.now = w.now.Add(look)
			if err := w.detector.Look(w.now); err != nil {
				t.Fatal(err)
			}
		}
		if got := w.texts(); got != "" {
			t.Errorf("%s: %s still in force a minute after the flood", tt.name, got)
		}
	}
}

// TestDetectorGoesOn: as long as a flood lasts its signature does, and counts; the detector that comes next takes it over.
func TestDetectorGoesOn(t *testing.T) {
	w := watch(t, DetectorOptions{})
	flood := attacks()[0].make
	w.flooded(4000, flood)
	for range int(3 * hold / time.Second) {
		w.now = w.now.Add(time.Second)
		for range 2 * busy {
			w.receive(flood(w.random))
		}
		if err := w.detector.Look(w.now); err != nil {
			t.Fatal(err)
		}
	}
	got := w.detector.Signatures()
	if len(got) != 1 || got[0].Packets < 1000 || !got[0].Until.After(w.now) {
		t.Fatalf("got %+v, want one that goes on", got)
	}
	w.signatures[0].Until = time.Now().Add(hold)
	next, err := NewDetector(&w.kernel, DetectorOptions{Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	if after := next.Signatures(); len(after) != 1 || after[0].Text != got[0].Text {
		t.Errorf("got %+v taken over, want %s", after, got[0].Text)
	}
}

// TestDetectorRemembers: what one has learnt, the next knows, and finds a flood at its first look; a file that is broken teaches nothing.
func TestDetectorRemembers(t *testing.T) {
	file := filepath.Join(t.TempDir(), "learnt")
	w := watch(t, DetectorOptions{File: file})
	if err := w.detector.Save(); err != nil {
		t.Fatal(err)
	}
	next := func() *Detector {
		w.kernel = kernel{now: w.now}
		d, err := NewDetector(&w.kernel, DetectorOptions{Floor: floor, File: file, Log: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	w.detector = next()
	if got := w.detector.Learnt(); got != 1 {
		t.Errorf("got %.2f learnt, want 1", got)
	}
	w.look(w.ordinary)
	w.flooded(4000, attacks()[0].make)
	if dropped := w.flooded(4000, attacks()[0].make); dropped < 3900 {
		t.Errorf("dropped %d of 4,000", dropped)
	}
	if err := os.Truncate(file, 1000); err != nil {
		t.Fatal(err)
	}
	if got := next().Learnt(); got != 0 {
		t.Errorf("got %.2f learnt of half a file", got)
	}
}

// TestDetectorModes: in monitor mode nothing is dropped and each flood found once, off nothing is looked for; both can be changed.
func TestDetectorModes(t *testing.T) {
	w := watch(t, DetectorOptions{Monitor: true})
	flood := attacks()[0].make
	for range 5 {
		if dropped := w.flooded(4000, flood); dropped > 0 {
			t.Errorf("dropped %d in monitor mode", dropped)
		}
	}
	if got := w.detector.Signatures(); len(got) != 1 || !got[0].Monitor {
		t.Fatalf("got %+v, want one that counts", got)
	}
	if err := w.detector.Configure(DetectorOptions{Floor: floor}); err != nil {
		t.Fatal(err)
	}
	if dropped := w.flooded(4000, flood); dropped < 3900 {
		t.Errorf("dropped %d of 4,000 when enforced", dropped)
	}
	if err := w.detector.Configure(DetectorOptions{Off: true}); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if dropped := w.flooded(4000, flood); dropped > 0 {
			t.Errorf("dropped %d when off", dropped)
		}
	}
	if got := w.texts(); got != "" {
		t.Errorf("got %s when off", got)
	}
}

// TestDetectorReconfigured: what is to be done changes while it looks.
func TestDetectorReconfigured(t *testing.T) {
	w := watch(t, DetectorOptions{})
	var changes sync.WaitGroup
	changes.Go(func() {
		for i := range 200 {
			if err := w.detector.Configure(DetectorOptions{Floor: float64(floor + i)}); err != nil {
				t.Error(err)
			}
			_, _, _ = w.detector.Learnt(), w.detector.Signatures(), w.detector.Samples()
		}
	})
	for range 20 {
		w.flooded(4000, attacks()[0].make)
	}
	changes.Wait()
	if got := w.texts(); got == "" {
		t.Error("got no signature")
	}
}

// TestDetectorKeepsQuiet: who changes a flood's looks all the time is found each time, and has a line of the log in a second.
func TestDetectorKeepsQuiet(t *testing.T) {
	w := watch(t, DetectorOptions{})
	var lines bytes.Buffer
	w.detector.log = slog.New(slog.NewTextHandler(&lines, nil))
	const looks = 100 // five seconds
	for i := range uint32(looks) {
		w.flooded(3000, func(r *rand.Rand) Sample { return segment(r, 2, 54, 10+i) })
	}
	if got := len(w.detector.Signatures()); got != MaxSignatures {
		t.Errorf("got %d signatures, want %d", got, MaxSignatures)
	}
	if got, most := bytes.Count(lines.Bytes(), []byte("\n")), 1+looks*int(look)/int(time.Second); got == 0 || got > most {
		t.Errorf("got %d lines of the log, want 1 to %d", got, most)
	}
}

// TestDetectorSpares: many visitors are no flood, nor is a flood below the floor, nor anything before it is known what is ordinary.
func TestDetectorSpares(t *testing.T) {
	w := watch(t, DetectorOptions{})
	for range 20 {
		for range 9 {
			for range usual {
				w.receive(w.ordinary())
			}
		}
		w.look(w.ordinary)
	}
	if got := w.texts(); got != "" {
		t.Errorf("got %s of ten times the visitors", got)
	}
	fresh := &watched{T: t, random: rand.New(rand.NewPCG(3, 4))}
	fresh.now = w.now
	fresh.detector, _ = NewDetector(&fresh.kernel, DetectorOptions{Floor: floor, Log: slog.New(slog.DiscardHandler)})
	for range 20 {
		fresh.flooded(4000, attacks()[0].make)
	}
	if got := fresh.texts(); got != "" {
		t.Errorf("got %s of one that knows nothing", got)
	}
}

// TestTerms: what holds of a conjunction's values holds of the signature's packets.
func TestTerms(t *testing.T) {
	w := watch(t, DetectorOptions{})
	for _, tt := range attacks() {
		w.flooded(4000, tt.make)
	}
	for _, l := range w.detector.live {
		for range 2000 {
			s := pick(w.random, attacks()...).make(w.random)
			want := true
			values := valuesOf(w.detector.traits, &s, nil)
			for _, term := range l.Terms {
				at := slices.IndexFunc(w.detector.traits, func(t trait) bool {
					return t.feature == term.Feature && t.offset == term.Offset && t.mask == term.Mask
				})
				trait := w.detector.traits[at]
				want = want && values[at] >= term.Low>>trait.shift && values[at] <= term.High>>trait.shift
			}
			if got := l.Match(&s); got != want {
				t.Errorf("%s matches %+v: %t, want %t", l.text, s, got, want)
			}
		}
	}
}

// TestTellings: of what is dropped a few are kept for people, without whole addresses.
func TestTellings(t *testing.T) {
	w := watch(t, DetectorOptions{})
	w.flooded(4000, attacks()[0].make)
	w.flooded(4000, attacks()[0].make)
	got := w.detector.Samples()
	if len(got) == 0 || len(got) > tellings || got[0].Reason != "signature" || !strings.HasPrefix(got[0].Text, "tcp S, port 443 from ") || got[0].Network.Bits() != 24 {
		t.Errorf("got %+v, want one or two SYNs of networks", got)
	}
	if bytes.Contains([]byte(got[0].Text), []byte(got[0].Network.Addr().String())) {
		t.Errorf("%s tells the address", got[0].Text)
	}
}
