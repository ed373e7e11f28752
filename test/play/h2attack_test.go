package play

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"sync"
	"time"
)

const (
	h2Lasts     = 700 * time.Millisecond  // how long an attack goes on
	h2SlowLasts = 4500 * time.Millisecond // those that take their time, all at once
	h2Grace     = 2 * time.Second         // a time-out of a second, by a clock that is looked at once a second
	h2Again     = 64                      // by which the numbers of attackers are higher when they are played once more
	h2Queued    = time.Second             // that a request whose body is slow may wait for the origin before
)

// An h2attack is one that the attacker knows: test/h2attack says what is in its JSON, and in that of an h2result.
type h2attack struct {
	Name  string
	Every time.Duration // of an attack that takes its time
}

type h2result struct {
	First, Latest struct {
		End          string
		Taken        int
		Took, Beyond time.Duration
	}
	Held                                                          bool
	Late, Connections, Again, Unopened, Answered, Refused, Resets int
}

// h2attacks plays every attack on HTTP/2, with a visitor beside who speaks it, too. Each connection of an attacker has to be cut off
// within a second of breaking a budget, or refused whatever it asks for; the visitor may wait as long as for visit. Attacks that take
// their time are played all at once. It shows what became of them.
func h2attacks(p *play, args []string) error {
	if len(args) != 2 {
		return errUsage
	}
	attacks, err := p.h2attacker()
	if err != nil {
		return err
	}
	if err := p.receive(args[1], 2*time.Second, true); err != nil {
		return err
	}
	p.visitor.lasts = h2Lasts
	var slow []h2attack
	var problems []error
	number := 0
	for _, a := range attacks {
		if a.Every > 0 {
			slow = append(slow, a)
			continue
		}
		problems = append(problems, p.h2attacked(args[0], number, a))
		number++
	}
	p.visitor.lasts = h2SlowLasts
	problems = append(problems, p.h2attacked(args[0], number, slow...))
	return errors.Join(problems...)
}

// h2attacker builds the attacker, and asks it what it knows.
func (p *play) h2attacker() ([]h2attack, error) {
	program := p.MkAbs("h2attack")
	if out, err := exec.Command("go", "build", "-o", program, "../h2attack/cmd").CombinedOutput(); err != nil {
		return nil, fmt.Errorf("build the attacker: %w: %s", err, out)
	}
	out, err := exec.Command(program, "-list").Output()
	if err != nil {
		return nil, err
	}
	var attacks []h2attack
	for lines := json.NewDecoder(bytes.NewReader(out)); lines.More(); {
		var a h2attack
		if err := lines.Decode(&a); err != nil {
			return nil, err
		}
		attacks = append(attacks, a)
	}
	return attacks, nil
}

// h2attacked plays attacks at the same time, beside the visitor, and once more if the visitor was slowed: a moment in which the machine
// had other things to do is as long as one in twenty hits, but doesn't come twice.
func (p *play) h2attacked(address string, number int, attacks ...h2attack) error {
	slowed, failed := p.h2beside(address, number, attacks)
	if slowed != nil && failed == nil {
		fmt.Fprintf(p.Stdout(), "once more: %v\n", slowed)
		slowed, failed = p.h2beside(address, number+h2Again, attacks)
	}
	if slowed != nil {
		var names []string
		for _, a := range attacks {
			names = append(names, a.Name)
		}
		slowed = fmt.Errorf("beside %s: %w", strings.Join(names, ", "), slowed)
	}
	return errors.Join(slowed, failed)
}

// h2beside plays attacks, and says whether the visitor was slowed, and what failed besides. Attackers of another number have other
// addresses.
func (p *play) h2beside(address string, number int, attacks []h2attack) (slowed, problems error) {
	v := p.visitor
	results := make([]h2result, len(attacks))
	failed := make([]error, len(attacks))
	var all sync.WaitGroup
	for i, a := range attacks {
		all.Go(func() { results[i], failed[i] = p.h2attack(address, number+i, a) })
	}
	slowed = v.attacked(p, visited{2*v.quiet.kept + hardly, 2*v.quiet.anew + hardly})
	all.Wait()
	for i, r := range results {
		fmt.Fprintf(p.Stdout(), "%s: %s, taken %d, after %v, beyond %v; late %d of %d; again %d, unopened %d, answered %d, refused %d, resets %d\n",
			attacks[i].Name, r.First.End, r.First.Taken, r.First.Took, r.Latest.Beyond, r.Late, r.Connections,
			r.Again, r.Unopened, r.Answered, r.Refused, r.Resets)
		if failed[i] == nil && !r.Held {
			failed[i] = fmt.Errorf("%d of %d connections were not cut off within a second, the first: %+v, the latest: %+v", r.Late, r.Connections, r.First, r.Latest)
		}
		if failed[i] != nil {
			failed[i] = fmt.Errorf("%s: %w", attacks[i].Name, failed[i])
		}
	}
	return slowed, errors.Join(failed...)
}

// h2attack plays one attack.
func (p *play) h2attack(address string, number int, a h2attack) (r h2result, err error) {
	grace := h2Grace
	switch a.Name {
	case "slow-bodies", "silent-bodies":
		grace += h2Queued
	case "stalled-connection":
		grace += time.Second // the wait is noticed by one look of the sweeper, and judged from the next
	}
	var out, errs bytes.Buffer
	err = p.run(&out, &errs, "chrt", "-i", "0", p.MkAbs("h2attack"), "-tls", "-host", "site.test", "-small", "/live", "-large", "/reel", "-sink", "/echo",
		"-from", fmt.Sprintf("127.%d.0.1", 64+number), "-sources", "200", "-n", "400",
		"-for", p.visitor.lasts.String(), "-grace", grace.String(), address, a.Name)
	if err != nil {
		return r, fmt.Errorf("%w: %s", err, &errs)
	}
	return r, json.Unmarshal(out.Bytes(), &r)
}
