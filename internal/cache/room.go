package cache

import (
	"fmt"
	"hash/maphash"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/seawall/seawall/httpcache"
	"github.com/seawall/seawall/internal/cache/store"
	"github.com/seawall/seawall/internal/spec"
	"github.com/seawall/seawall/prefixes"
)

const (
	// fillShare is the part of the node's cache memory that fetches in progress may use: one in fillShare. Stored objects have the rest, and
	// what of it is not in use.
	fillShare = 4
	// headWait bounds how long a request waits for another's response head before it fetches on its own.
	headWait = 2 * time.Second
	// windowSize is how far the fetch of a body too large for the cache may be ahead of its slowest reader, but for one piece.
	windowSize = 1 << 20
	// pieceSize bounds what a reader takes at once.
	pieceSize = 256 << 10
	// maxVariants bounds the stored variants of one key.
	maxVariants = 64
	// disconnectedGrace is how long after its freshness an object may stand in for an origin that cannot be reached.
	disconnectedGrace = 24 * time.Hour

	// How long a key is remembered whose response was not shareable, was an error, or was too large.
	unshareableFor = 10 * time.Second
	errorFor       = 2 * time.Second
	tooLargeFor    = time.Minute
)

// Room is a node's cache: one store, which is nil for no cache at all, and one table of fetches for all zones.
type Room struct {
	seed        maphash.Seed
	objects     *store.Memory[*entry]
	size        int64 // what stored objects have, whatever is under way
	maxObject   int64
	filling     budget
	generations atomic.Uint64
	fills       table
	peers       peers
	purges      sync.Map     // *purges by the zone's name
	ticks       atomic.Int64 // the last tick
	refreshes   atomic.Int64 // that go on behind answers
	survival    uint64       // sets the keys of survival copies apart
	encoding    encoding
	tier        *tier
	disk        atomic.Pointer[store.Disk] // nil while there is none
	copies      atomic.Pointer[store.Disk] // that of survival copies, likewise
}

// New makes a node's cache, empty. One of no size keeps nothing, and is off in every zone.
func New(node *spec.Node) (*Room, error) {
	size, object := int64(node.Cache.Size), int64(node.Cache.Object)
	switch {
	case size < 0:
		return nil, fmt.Errorf("cache.size: %d is negative: want a size, or 0 for no cache", size)
	case size == 0:
		r := &Room{seed: maphash.MakeSeed(), tier: new(tier)}
		r.fills.init()
		r.encoding.init(r)
		return r, nil
	case object <= 0 || object > size/fillShare || object > store.MaxValue/2:
		return nil, fmt.Errorf("cache.object: %d does not fit: want 1 to %d bytes (a quarter of cache.size, at most 2 GiB)",
			object, min(size/fillShare, store.MaxValue/2))
	}
	objects, err := store.New[*entry](size)
	if err != nil {
		return nil, fmt.Errorf("cache: %w", err)
	}
	tier, err := newTier(&node.Cache)
	if err != nil {
		return nil, err
	}
	r := &Room{
		seed:      maphash.MakeSeed(),
		survival:  rand.Uint64(),
		objects:   objects,
		size:      size - size/fillShare,
		maxObject: object,
		tier:      tier,
	}
	r.filling.init(size/fillShare, func(aside int64) { objects.Resize(size - aside) })
	tier.lender.filling, tier.recalls = &r.filling, newRecalls(r.size)
	r.generations.Store(rand.Uint64()) // those of a process before are on the disk
	r.fills.init()
	r.encoding.init(r)
	return r, nil
}

// Compile makes a zone's policy. Objects of a zone of the same name are found again.
func (r *Room) Compile(z *spec.Zone) (*Policy, error) {
	if z.Cache.Waiters < 0 {
		return nil, fmt.Errorf("cache.waiters: %d is negative: want 0 or more", z.Cache.Waiters)
	}
	rules, err := compileRules(z.Cache.Rules)
	if err != nil {
		return nil, err
	}
	compression, err := compileCompression(&z.Compression)
	if err != nil {
		return nil, err
	}
	choices, languages, err := compileChoices(&z.Cache)
	if err != nil {
		return nil, err
	}
	prefetch, err := compilePrefetch(z, r.objects != nil)
	if err != nil {
		return nil, err
	}
	p := &Policy{
		compression: compression,
		room:        r, zone: z.Name, basis: r.basis(z.Name),
		enabled: z.Cache.Enabled && r.objects != nil, waiters: z.Cache.Waiters, http: choices, languages: languages,
		survive: z.Cache.Survive, prefetch: prefetch,
		purges: r.purgesOf(z.Name),
		query:  compileQuery(&z.Cache.Key), dimensions: compileDimensions(&z.Cache.Key), routed: len(z.Rules.Origin) > 0,
		rules: rules, staticTTL: z.Cache.Static.TTL, static: make(map[string]bool, len(z.Cache.Static.Extensions)),
	}
	if p.enabled && p.survive > 0 {
		r.wantCopies()
	}
	if len(z.Cache.PurgeFrom) > 0 {
		p.purger = prefixes.Compile(z.Cache.PurgeFrom)
	}
	for _, e := range z.Cache.Static.Extensions {
		p.static[strings.ToLower(e)] = true
	}
	return p, nil
}

// Policy is how one zone uses the cache.
type Policy struct {
	room     *Room
	zone     string
	basis    uint64 // hash of zone, which all keys start from
	enabled  bool
	waiters  int
	prefetch *Prefetch     // nil for none
	survive  time.Duration // how old a survival copy may get, 0 for none
	http     httpcache.Policy

	purges     *purges
	purger     *prefixes.Set // who may purge by request, nil if nobody
	query      queryRule
	dimensions dimensions
	// routed tells that rules may put more into the key than the owner did: another Host, or a pool.
	routed      bool
	rules       []rule
	staticTTL   time.Duration
	static      map[string]bool // extensions, in lower case
	compression compression
	// languages are those that the site has, if its owner has said so.
	languages httpcache.Languages
}

// Stats is what a node's cache holds.
type Stats struct {
	// Objects counts stored responses and the markers of those that vary, Bytes their size with overhead.
	Objects int
	Bytes   int64
	// Evictions counts objects dropped for want of room.
	Evictions uint64
	// Filling is the bytes reserved by fetches in progress.
	Filling int64
	// Disk is what is on the disk, nil if nothing is to be, and Copies the survival copies there.
	Disk, Copies *store.DiskStats
}

// Stats tells what the cache holds now.
func (r *Room) Stats() Stats {
	n, bytes, evictions := r.objects.Stats()
	s := Stats{Objects: n, Bytes: bytes, Evictions: evictions, Filling: r.filling.used.Load()}
	for _, part := range [...]struct {
		disk *store.Disk
		into **store.DiskStats
	}{{r.disk.Load(), &s.Disk}, {r.copies.Load(), &s.Copies}} {
		if part.disk != nil {
			stats := part.disk.Stats()
			*part.into = &stats
		}
	}
	return s
}
