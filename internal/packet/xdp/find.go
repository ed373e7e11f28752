package xdp

import (
	"encoding/binary"
	"fmt"
	"net/netip"

	"github.com/seawall/seawall/internal/packet"
)

// Find asks the maps that the program asks.
func (f *Filter) Find(addr netip.Addr) (packet.Finding, error) {
	addr = addr.Unmap().WithZone("")
	var out packet.Finding
	var err error
	if out.Allowed, err = f.inTable(tableAllow, func(at cells) (bool, error) { return inHashed(at, addr, f.salt) }); err != nil {
		return out, fmt.Errorf("looking for %v: %w", addr, err)
	}
	if addr.Is4() {
		out.Denied, err = f.inTable(tableDeny4, func(at cells) (bool, error) { return inFlat(at, addr) })
	} else {
		out.Denied, err = f.inTable(tableDeny6, func(at cells) (bool, error) { return inHashed(at, addr, f.salt) })
	}
	if err == nil {
		err = f.findBan(addr, &out)
	}
	if err == nil {
		err = f.findMeters(addr, &out)
	}
	if err != nil {
		return out, fmt.Errorf("looking for %v: %w", addr, err)
	}
	return out, nil
}

// inTable asks the table in force.
func (f *Filter) inTable(slot uint32, ask func(cells) (bool, error)) (bool, error) {
	m, err := f.slots.held(filterMapTables, slot)
	if m == nil || err != nil {
		return false, err
	}
	defer func() { _ = m.Close() }()
	return ask(func(index uint32) (uint64, uint64, error) {
		var line filterCells
		err := m.Lookup(index/lineCells, &line)
		c := line.Four[index%lineCells]
		return c.A, c.B, err
	})
}

func (f *Filter) findBan(addr netip.Addr, out *packet.Finding) error {
	for _, bits := range banLengths(addr.Is4()) {
		b := f.bannedAs(halves(addr), bits)
		until, err := f.bans.find(b)
		if err != nil {
			return err
		}
		if until > now() {
			out.Banned, out.Until = b.prefix(), timeOf(until)
		}
	}
	return nil
}

const (
	hostBuckets = 7
	drainATick  = 275
	full        = 0xffff
	late        = 0xfff0
	nearlyFull  = 0.95
)

// metersOf is where bpf/meter.h has a source's buckets.
func (s salt) metersOf(addr netip.Addr, lines int) (at [2]uint32, host [2]int) {
	a := halves(addr)
	unit := a.hi & 0xffff
	if addr.Is4() {
		unit = a.lo & 0xff
	}
	g := s.network(a)
	h := (g ^ unit) * mix1
	mask := uint32(lines - 1)
	at = [2]uint32{uint32(g) & mask, uint32(g>>32)&mask + uint32(lines)}
	host = [2]int{int(h >> 32 & 0xffff * hostBuckets >> 16), int(h >> 48 * hostBuckets >> 16)}
	return at, host
}

func (f *Filter) findMeters(addr netip.Addr, out *packet.Finding) error {
	at, host := f.salt.metersOf(addr, int(f.objects.Meters.MaxEntries()/2))
	tick := uint32(now() >> tickShift)
	hosts, groups := 1.0, 1.0
	for row := range at {
		var line filterLine
		if err := f.objects.Meters.Lookup(at[row], &line); err != nil {
			return err
		}
		hosts = min(hosts, fullness(line.Hosts[host[row]], tick))
		groups = min(groups, fullness(line.Group, tick))
	}
	out.Fullness = max(hosts, groups)
	out.Over = out.Fullness > nearlyFull
	return nil
}

// ticksSince are none if the bucket was looked at a tick later than now.
func ticksSince(then, now uint32) uint32 {
	if ticks := (now - then) & 0xffff; ticks <= late {
		return ticks
	}
	return 0
}

func fullness(bucket uint64, tick uint32) float64 {
	var b [8]byte
	binary.LittleEndian.PutUint64(b[:], bucket)
	ticks := ticksSince(uint32(binary.LittleEndian.Uint16(b[:])), tick)
	level := uint32(0)
	for i := 2; i < 8; i += 2 {
		level = max(level, uint32(binary.LittleEndian.Uint16(b[i:])))
	}
	if ticks >= ticksASecond || ticks*drainATick >= level {
		return 0
	}
	return float64(level-ticks*drainATick) / full
}
