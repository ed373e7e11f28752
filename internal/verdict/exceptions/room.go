// Package exceptions undoes refusals for a time: for addresses, which nothing of the verdict refuses meanwhile, or for one rule of a zone,
// which only notes whom it would have refused.
//
// It learns what the operator undoes, and writes flow.Verdict's Dry and Undone where a refusal does not come about. There are at most [Most]
// exceptions, for at most [Longest] each; those that end first give way to new ones. They are asked for only where a request is about to be
// refused, without a lock: whoever passes anyhow pays nothing. They are kept in a file, so they outlast the process; if it can't be
// written, they are in force and say so.
package exceptions

import (
	"fmt"
	"log/slog"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/seawall/seawall/internal/spec"
	"github.com/seawall/seawall/prefixes"
)

const (
	// Most is how many exceptions there are at one time.
	Most = 10_000
	// Longest is how long one may last.
	Longest = 7 * 24 * time.Hour
)

// Exception is what of refusals is undone, and until when. It is for a rule of a zone, or else for addresses.
type Exception struct {
	// Zone is the one it is for; "" is all, which only one for addresses may be, and "*" is of the node's own rules.
	Zone    string       `json:"zone,omitempty"`
	Rule    string       `json:"rule,omitempty"`
	Address netip.Prefix `json:"address,omitzero"`
	Since   time.Time    `json:"since"`
	Until   time.Time    `json:"until"`
	// By is who has undone it.
	By string `json:"by"`
}

// String says what is undone.
func (e *Exception) String() string {
	what := "rule " + e.Rule
	if e.Rule == "" {
		what = "address " + e.Address.String()
		if e.Address.IsSingleIP() {
			what = "address " + e.Address.Addr().String()
		}
	}
	return what + " " + e.Where()
}

// Where says in which zones it is.
func (e *Exception) Where() string {
	if e.Zone == "" || e.Zone == spec.AllZones {
		return "in all zones"
	}
	return "in zone " + e.Zone
}

// same tells whether one takes the other's place.
func (e *Exception) same(other *Exception) bool {
	return e.Zone == other.Zone && e.Rule == other.Rule && e.Address == other.Address
}

// check tells what is wrong with an exception, and brings its address into normal form.
func (e *Exception) check(now time.Time) error {
	length := e.Until.Sub(now)
	switch {
	case (e.Rule == "") == !e.Address.IsValid():
		return fmt.Errorf("undoing: want an address or a rule, and not both")
	case e.Rule != "" && e.Zone == "":
		return fmt.Errorf("undoing: rule %s: want its zone", e.Rule)
	case length <= 0 || length > Longest:
		return fmt.Errorf("undoing: for %v: want more than nothing and at most %v", length.Round(time.Second), Longest)
	}
	if e.Address.IsValid() {
		if a := e.Address.Addr(); a.Is4In6() && e.Address.Bits() >= 96 {
			e.Address = netip.PrefixFrom(a.Unmap(), e.Address.Bits()-96)
		}
		e.Address = e.Address.Masked()
	}
	return nil
}

// Room is a node's exceptions.
type Room struct {
	// Log tells of those that end, give way or can't be kept. It is set before the first Add.
	Log *slog.Logger

	inForce atomic.Pointer[compiled] // nil if there are none

	mu   sync.Mutex
	all  []Exception // those that end first first
	next *time.Timer // when the first ends; nil if there are none
	path string      // of the file that keeps them; "" for none
}

// New returns a room without exceptions.
func New() *Room { return &Room{Log: slog.New(slog.DiscardHandler)} }

// Add puts an exception in force, in place of one for the same. It fails if there can't be such a one.
func (r *Room) Add(e Exception) (Exception, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := e.check(time.Now()); err != nil {
		return Exception{}, err
	}
	r.all = slices.DeleteFunc(r.all, func(other Exception) bool { return e.same(&other) })
	if len(r.all) >= Most {
		r.Log.Warn("too many exceptions: one gives way before its end", "was", r.all[0].String(), "until", r.all[0].Until, "most", Most)
		r.all = slices.Delete(r.all, 0, 1)
	}
	at, _ := slices.BinarySearchFunc(r.all, e, func(a, b Exception) int { return a.Until.Compare(b.Until) })
	r.all = slices.Insert(r.all, at, e)
	r.changed()
	return e, nil
}

// Cancel ends the exceptions that is tells, and returns them.
func (r *Room) Cancel(is func(*Exception) bool) (cancelled []Exception) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.all = slices.DeleteFunc(r.all, func(e Exception) bool {
		if is(&e) {
			cancelled = append(cancelled, e)
			return true
		}
		return false
	})
	if len(cancelled) > 0 {
		r.changed()
	}
	return cancelled
}

// List returns the exceptions in force, those that end first first.
func (r *Room) List() []Exception {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.all)
}

// Of returns the exceptions that an address falls under.
func (r *Room) Of(address netip.Addr) []Exception {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(r.all), func(e Exception) bool { return !e.Address.IsValid() || !e.Address.Contains(address.Unmap()) })
}

// Close lets no exception end any more.
func (r *Room) Close() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.next != nil {
		r.next.Stop()
	}
}

// changed puts all in force that there is now, and keeps it.
func (r *Room) changed() {
	r.enforce()
	if err := r.keep(); err != nil {
		r.Log.Error("exceptions are in force, but will not outlive a restart as they are", "error", err)
	}
}

// enforce puts all in force that there is now, until the first of it ends.
func (r *Room) enforce() {
	if r.next != nil {
		r.next.Stop()
		r.next = nil
	}
	r.inForce.Store(compile(r.all))
	if len(r.all) > 0 {
		r.next = time.AfterFunc(time.Until(r.all[0].Until), r.expire)
	}
}

// expire ends what is due. The file needs no change: what it has of the past is not read.
func (r *Room) expire() {
	r.mu.Lock()
	defer r.mu.Unlock()
	now, due := time.Now(), 0
	for ; due < len(r.all) && !r.all[due].Until.After(now); due++ {
		r.Log.Info("an exception has ended", "was", r.all[due].String(), "by", r.all[due].By)
	}
	r.all = slices.Delete(r.all, 0, due)
	r.enforce()
}

// compiled is the exceptions in force, as requests ask for them. It is immutable.
type compiled struct {
	everywhere *prefixes.Set
	zones      map[string]*ofZone
}

// ofZone is those of one zone.
type ofZone struct {
	addresses *prefixes.Set
	rules     map[string]struct{}
}

func compile(all []Exception) *compiled {
	if len(all) == 0 {
		return nil
	}
	addresses := make(map[string][]netip.Prefix) // by zone
	c := &compiled{zones: make(map[string]*ofZone)}
	for i := range all {
		e := &all[i]
		if c.zones[e.Zone] == nil {
			c.zones[e.Zone] = &ofZone{rules: make(map[string]struct{})}
		}
		if e.Rule != "" {
			c.zones[e.Zone].rules[e.Rule] = struct{}{}
		} else {
			addresses[e.Zone] = append(addresses[e.Zone], e.Address)
		}
	}
	for zone, list := range addresses {
		c.zones[zone].addresses = prefixes.Compile(list)
	}
	if z := c.zones[""]; z != nil {
		c.everywhere = z.addresses
	}
	return c
}

// Addresses are those excepted in all zones.
func (r *Room) Addresses() (list []netip.Prefix) {
	if r.inForce.Load() == nil {
		return nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for i := range r.all {
		if e := &r.all[i]; e.Zone == "" && e.Rule == "" {
			list = append(list, e.Address)
		}
	}
	return list
}

// Everywhere tells whether an address is excepted in all zones.
func (r *Room) Everywhere(address netip.Addr) bool {
	c := r.inForce.Load()
	return c != nil && c.everywhere.Contains(address)
}

// undone tells whether a rule's refusal of an address in a zone is.
func (r *Room) undone(zone, rule string, address netip.Addr) bool {
	c := r.inForce.Load()
	if c == nil {
		return false
	}
	if c.everywhere.Contains(address) {
		return true
	}
	z := c.zones[zone]
	if z == nil {
		return false
	}
	_, ok := z.rules[rule]
	return ok || z.addresses.Contains(address)
}

// IsRule matches the exceptions for a rule, by its name with or without its phase, in a zone, "" for any.
func IsRule(zone, rule string) func(*Exception) bool {
	return func(e *Exception) bool {
		return e.Rule != "" && (e.Rule == rule || strings.HasSuffix(e.Rule, "/"+rule)) && (zone == "" || zone == e.Zone)
	}
}

// IsAddress matches the exceptions for exactly these addresses, in a zone, "" for those in all.
func IsAddress(zone string, address netip.Prefix) func(*Exception) bool {
	return func(e *Exception) bool { return e.Address == address.Masked() && e.Zone == zone }
}
