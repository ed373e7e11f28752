package nft

import (
	"encoding/binary"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/google/nftables"
	"github.com/google/nftables/expr"

	"github.com/seawall/seawall/internal/packet"
)

// amplifiers are the ports that reflected answers come from.
func amplifiers() []uint16 {
	return []uint16{17, 19, 53, 69, 111, 123, 137, 161, 389, 500, 520, 1194, 1434, 1900, 3283, 3702, 5093, 5351, 5353, 5683, 10001, 11211, 27015, 37810}
}

// SetPolicy puts a policy in force, as a whole. Meters begin anew.
func (f *Filter) SetPolicy(p packet.Policy) error {
	if err := check(p); err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	c := compiler{Filter: f, policy: p}
	if err := c.clear(); err != nil {
		return err
	}
	c.arrive()
	for _, family := range families() {
		c.family(family)
	}
	stateful := f.proxy && slices.ContainsFunc(p.Listeners, func(l packet.Listener) bool { return l.CheckState && !l.UDP })
	if stateful {
		c.track()
	}
	if c.err == nil {
		c.err = f.conn.Flush()
	}
	if c.err == nil && stateful {
		c.err = f.beStrict()
	}
	if c.err != nil {
		return fmt.Errorf("set the policy: %w", c.err)
	}
	return nil
}

// A compiler makes rules of a policy, in one transaction.
type compiler struct {
	*Filter
	policy packet.Policy
	meters int
	err    error
}

// clear removes what the policy before was compiled to.
func (c *compiler) clear() error {
	there, _, err := c.chains()
	if err != nil {
		return err
	}
	ours := func(name string) bool {
		return name != layout && !strings.HasPrefix(name, "on_") && !strings.HasPrefix(name, chainSources) && !strings.HasPrefix(name, looseBefore)
	}
	there = slices.DeleteFunc(there, func(name string) bool { return !ours(name) })
	for _, name := range there {
		c.conn.FlushChain(&nftables.Chain{Table: c.table, Name: name})
	}
	old, err := c.conn.GetSets(c.table)
	if err != nil {
		return fmt.Errorf("list sets: %w", err)
	}
	for _, set := range old {
		if !slices.ContainsFunc([]string{setAllow, setDeny, setBans}, func(kept string) bool { return strings.HasPrefix(set.Name, kept) }) {
			set.Table = c.table
			c.conn.DelSet(set)
		}
	}
	for _, name := range there {
		if name != chainArrive { // what the hooks jump to
			c.conn.DelChain(&nftables.Chain{Table: c.table, Name: name})
		}
	}
	return nil
}

func (c *compiler) set(s *nftables.Set, elements []nftables.SetElement) *nftables.Set {
	s.Table = c.table
	if err := c.conn.AddSet(s, elements); err != nil && c.err == nil {
		c.err = fmt.Errorf("make set %s: %w", s.Name, err)
	}
	return s
}

// arrive parts the families.
func (c *compiler) arrive() {
	arrive := &nftables.Chain{Table: c.table, Name: chainArrive}
	for _, family := range families() {
		c.chain(chainArrive + family.name)
		c.rule(arrive, family.packets(), verdict(expr.VerdictGoto, chainArrive+family.name))
	}
}

// family makes the chains for packets of a family.
func (c *compiler) family(f family) {
	open := slices.ContainsFunc(c.policy.Listeners, func(l packet.Listener) bool { return serves(l, f) && everywhere(l) })
	served, ports, addresses := c.places(f)
	here := match{}
	if !open {
		here = and(header(f.target, f.length), in(addresses))
	}
	pieces, echoes := c.chain(chainPieces+f.name), c.chain(chainEchoes+f.name)
	limits := c.policy.Addresses
	for chain, limit := range map[*nftables.Chain]struct {
		rate    uint32
		reason  packet.Reason
		opening bool
	}{pieces: {limits.Pieces, packet.OverPieces, false}, echoes: {limits.ICMP, packet.OverICMP, true}} {
		c.rule(chain, jump(chainSources+f.name))
		c.meterAll(f, chain, limits.Host, limits.Group, opening(limit.opening))
		if limit.rate > 0 {
			c.rule(chain, exceeds(limit.rate), drop(limit.reason))
		}
		c.rule(chain, match{&expr.Notrack{}})
	}
	arrive := &nftables.Chain{Table: c.table, Name: chainArrive + f.name}
	c.rule(arrive, header(f.source, f.length), in(c.sets[f.name].allow), accept())
	c.rule(arrive, f.laterFragment(), here, verdict(expr.VerdictGoto, chainPieces+f.name))
	c.rule(arrive, protocol(f.icmp), segment(0, 1), equal(f.echo), here, verdict(expr.VerdictGoto, chainEchoes+f.name))
	key := registers4 + f.length/4
	place := and(match{&expr.Meta{Key: expr.MetaKeyL4PROTO, Register: key}}, load(expr.PayloadBaseTransportHeader, 2, 2, key+1))
	c.rule(arrive, load(expr.PayloadBaseNetworkHeader, f.target, f.length, registers4), place, choose(served))
	place = and(match{&expr.Meta{Key: expr.MetaKeyL4PROTO, Register: registers4}}, load(expr.PayloadBaseTransportHeader, 2, 2, registers4+1))
	c.rule(arrive, place, choose(ports))
}

// laterFragment is one whose offset is not zero.
func (f family) laterFragment() match {
	offset, mask := header(6, 2), masked(0x1f, 0xff)
	if f.length == 16 {
		offset, mask = match{&expr.Exthdr{DestRegister: register, Type: 44, Offset: 2, Len: 2, Op: expr.ExthdrOpIpv6}}, masked(0xff, 0xf8)
	}
	return and(offset, mask, match{&expr.Cmp{Op: expr.CmpOpNeq, Register: register, Data: []byte{0, 0}}})
}

// places makes the maps of where listeners are, with a chain for each.
func (c *compiler) places(f family) (served, ports, addresses *nftables.Set) {
	var atAddress, atPort, alone []nftables.SetElement
	seen := make(map[string]bool)
	for i, l := range c.policy.Listeners {
		if !serves(l, f) {
			continue
		}
		name := fmt.Sprintf("listener_%d_%s", i, f.name)
		c.listener(f, c.chain(name), l)
		key := binary.BigEndian.AppendUint16([]byte{protocolOf(l), 0, 0, 0}, l.Port)
		element := nftables.SetElement{Key: append(key, 0, 0), VerdictData: &expr.Verdict{Kind: expr.VerdictGoto, Chain: name}}
		if everywhere(l) {
			atPort = append(atPort, element)
			continue
		}
		address := l.Address.AsSlice()
		element.Key = slices.Concat(address, element.Key)
		atAddress = append(atAddress, element)
		if !seen[string(address)] {
			seen[string(address)] = true
			alone = append(alone, nftables.SetElement{Key: address})
		}
	}
	verdicts := func(name string, types ...nftables.SetDatatype) *nftables.Set {
		return &nftables.Set{Name: name + f.name, IsMap: true, Concatenation: true, KeyType: nftables.MustConcatSetType(types...), DataType: nftables.TypeVerdict}
	}
	served = c.set(verdicts(setServed, f.key(), nftables.TypeInetProto, nftables.TypeInetService), atAddress)
	ports = c.set(verdicts(setPorts, nftables.TypeInetProto, nftables.TypeInetService), atPort)
	addresses = c.set(&nftables.Set{Name: setAddresses + f.name, KeyType: f.key()}, alone)
	return served, ports, addresses
}

// listener makes the chain of a listener's packets.
func (c *compiler) listener(f family, chain *nftables.Chain, l packet.Listener) {
	c.rule(chain, jump(chainSources+f.name))
	if l.UDP {
		c.udp(f, chain, l)
		return
	}
	for _, wrong := range []struct{ of, set byte }{
		{flagSYN | flagACK, flagSYN | flagACK}, // servers answer that, and these ports ask nobody
		{flagSYN | flagFIN, flagSYN | flagFIN},
		{flagSYN | flagRST, flagSYN | flagRST},
		{flagSYN | flagRST | flagACK, 0}, // nothing, or FIN alone
	} {
		c.rule(chain, flags(wrong.of, wrong.set), drop(packet.Malformed))
	}
	c.meterAll(f, chain, l.Host, l.Group, flags(flagSYN, flagSYN))
}

func (c *compiler) udp(f family, chain *nftables.Chain, l packet.Listener) {
	if l.Reflected > 0 {
		var elements []nftables.SetElement
		for _, p := range amplifiers() {
			elements = append(elements, nftables.SetElement{Key: binary.BigEndian.AppendUint16(nil, p)})
		}
		set := c.set(&nftables.Set{Name: "amplifiers_" + chain.Name, KeyType: nftables.TypeInetService}, elements)
		c.rule(chain, segment(0, 2), in(set), exceeds(l.Reflected), drop(packet.OverReflects))
	}
	isInitial := and(segment(8, 1), masked(0xf0), equal(0xc0)) // a long header of type Initial (RFC 9000, 17.2.2)
	c.meterAll(f, chain, l.Host, l.Group, isInitial)
	if l.Initials > 0 {
		c.rule(chain, isInitial, exceeds(l.Initials), drop(packet.OverInitials))
	}
	c.rule(chain, match{&expr.Notrack{}}) // a flood's sources would fill the table of connections
}

// opening is no match if every packet opens something, and nil if none does.
func opening(every bool) match {
	if every {
		return match{}
	}
	return nil
}

// meterAll holds a source and its network to their ceilings.
func (c *compiler) meterAll(f family, chain *nftables.Chain, host, group packet.Ceilings, isOpening match) {
	for _, of := range []struct {
		ceilings packet.Ceilings
		bits     int
		reason   packet.Reason
	}{{host, int(f.length) * 8, packet.OverHost}, {group, f.group, packet.OverGroup}} {
		if n := of.ceilings.Openings; n > 0 && isOpening != nil {
			c.rule(chain, isOpening, f.network(of.bits), c.meter(f, over(uint64(n), expr.LimitTypePkts)), drop(of.reason))
		}
		if n := of.ceilings.Packets; n > 0 {
			c.rule(chain, f.network(of.bits), c.meter(f, over(uint64(n), expr.LimitTypePkts)), drop(of.reason))
		}
		if n := of.ceilings.Bytes; n > 0 {
			c.rule(chain, f.network(of.bits), c.meter(f, over(n, expr.LimitTypePktBytes)), drop(of.reason))
		}
	}
}

// meter makes a set for one.
func (c *compiler) meter(f family, limit *expr.Limit) match {
	c.meters++
	return meter(c.set(&nftables.Set{
		Name: "meter_" + strconv.Itoa(c.meters), KeyType: f.key(), Dynamic: true, HasTimeout: true, Timeout: remembered, Size: maxMetered,
	}, nil), limit)
}

// track checks TCP's state, where connections have been tracked: what belongs to none is for the SYN proxy, or dropped. So are SYNs
// beyond a listener's rate. They are judged here, and not before, because one that meets what is left of an earlier connection between the
// same ports has to clear that away; and as the proxy takes them here, no connection is entered for them.
func (c *compiler) track() {
	tracked := c.hook(chainTracked, hookInput, beforeFilters, "")
	c.rule(tracked, loopback(), accept())
	c.rule(tracked, state(expr.CtStateBitINVALID|expr.CtStateBitNEW, 0), accept())
	sent := c.hook(chainSent, hookOutput, beforeTracking, "")
	for _, f := range families() {
		c.rule(tracked, f.packets(), header(f.source, f.length), in(c.sets[f.name].allow), accept())
		c.stray(f, c.chain(chainStray+f.name))
		for _, l := range c.policy.Listeners {
			switch {
			case !serves(l, f):
			case l.UDP:
				c.rule(sent, f.packets(), protocol(protocolUDP), port(0, l.Port), match{&expr.Notrack{}})
			case l.CheckState:
				c.trackListener(f, tracked, l)
			}
		}
	}
}

func (c *compiler) trackListener(f family, tracked *nftables.Chain, l packet.Listener) {
	mine := and(f.packets(), protocol(protocolTCP), port(2, l.Port))
	if !everywhere(l) {
		mine = and(mine, header(f.target, f.length), equal(l.Address.AsSlice()...))
	}
	stray := verdict(expr.VerdictGoto, chainStray+f.name)
	if l.SYNs > 0 {
		c.rule(tracked, mine, state(expr.CtStateBitNEW, expr.CtStateBitNEW), exceeds(l.SYNs), stray)
	}
	mine = and(mine, state(expr.CtStateBitINVALID, expr.CtStateBitINVALID))
	if everywhere(l) { // then a socket that has an address is a connection's
		c.rule(tracked, mine, match{&expr.Socket{Key: expr.SocketKeyWildcard, Register: register}}, equal(0), accept())
	}
	c.rule(tracked, mine, stray)
}

// stray makes the chain of segments that belong to no connection. The SYN proxy answers SYNs, and lets in whose ACK has its cookie. Without
// timestamps, and so without what is encoded in them: since Linux 6.14 a server refuses the ACK that the proxy sends with them
// (TSEcrRejected), and one visitor in a few hundred waited for 1.7 seconds.
func (c *compiler) stray(f family, chain *nftables.Chain) {
	proxy := match{&expr.SynProxy{Mss: f.mss, MssValueSet: true}}
	all := byte(flagSYN | flagRST | flagFIN | flagACK)
	c.rule(chain, flags(all, flagSYN), count(packet.Cookie), proxy)
	c.rule(chain, flags(all, flagACK), count(packet.NoState), proxy)
	c.rule(chain, drop(packet.NoState))
}
