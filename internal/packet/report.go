package packet

import (
	"cmp"
	"net/netip"
	"slices"
	"time"
)

// Report is what a node's packet filter does.
type Report struct {
	Interfaces []Attachment `json:"interfaces"`
	Counters   []End        `json:"counters"`
	// Learnt is how much is known of what there is to know of ordinary packets before signatures are found, 0 to 1.
	Learnt float64 `json:"learnt"`
	// Signatures are what packets of floods look like, in force now.
	Signatures []SignatureReport `json:"signatures"`
	// Samples are some of the packets dropped of late.
	Samples []Telling `json:"samples"`
	// Bans are those in force, the first that end first, at most 100 of Banned.
	Banned int   `json:"banned"`
	Bans   []Ban `json:"bans"`
}

// End is what became of packets for one of the node's addresses, or of those that tell no port.
type End struct {
	For     string `json:"for"` // an address and port, or "other"
	Reason  string `json:"reason"`
	Dropped bool   `json:"dropped"`
	Packets uint64 `json:"packets"`
	Bytes   uint64 `json:"bytes"` // of IP packets
}

// Ban is a source whose packets are dropped.
type Ban struct {
	Source netip.Prefix `json:"source"`
	Until  time.Time    `json:"until"`
}

const shownBans = 100

// Report reads the filter's counters; ok is false if there is no filter.
func (r *Room) Report() (report Report, ok bool, err error) {
	f := r.opened()
	if f == nil {
		return report, false, nil
	}
	report.Interfaces = f.Attached()
	report.Counters, err = r.counters(f)
	if d := r.detector(); d != nil {
		report.Learnt, report.Signatures, report.Samples = d.Learnt(), d.Signatures(), d.Samples()
	}
	for source, until := range f.Bans() {
		report.Bans = append(report.Bans, Ban{source, until.UTC()})
	}
	slices.SortFunc(report.Bans, func(a, b Ban) int { return a.Until.Compare(b.Until) })
	report.Banned = len(report.Bans)
	report.Bans = report.Bans[:min(len(report.Bans), shownBans)]
	return report, true, err
}

// Counters are what became of packets since the filter was first attached; none if there is no filter.
func (r *Room) Counters() ([]End, error) {
	f := r.opened()
	if f == nil {
		return nil, nil
	}
	return r.counters(f)
}

func (r *Room) counters(f Filter) ([]End, error) {
	all, err := f.Counters()
	if err != nil {
		return nil, err
	}
	r.mu.Lock()
	serving := r.serving
	r.mu.Unlock()
	list := make([]End, 0, len(all))
	for _, c := range all {
		to := "other"
		if c.Listener >= 0 && c.Listener < len(serving) {
			to = serving[c.Listener].String()
		}
		list = append(list, End{For: to, Reason: c.Reason.String(), Dropped: c.Reason.Dropped(), Packets: c.Packets, Bytes: c.Bytes})
	}
	slices.SortStableFunc(list, func(a, b End) int { return cmp.Compare(b.Packets, a.Packets) })
	return list, nil
}

// Find tells how an address stands with the filter; ok is false if there is no filter.
func (r *Room) Find(address netip.Addr) (found Finding, ok bool, err error) {
	f := r.opened()
	if f == nil {
		return found, false, nil
	}
	found, err = f.Find(address)
	return found, true, err
}
