package play

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"slices"
	"sync"
	"time"
)

const (
	visitLasts = 3 * time.Second
	hitEvery   = 4 * time.Millisecond
	newEvery   = 100 * time.Millisecond
	// hardly is a delay that may be the machine's, whose cores the attackers use as well: that much may come to twice the time in quiet.
	hardly = 20 * time.Millisecond
)

// visitor is somebody who reads a page again and again while others attack, on a connection that is kept. Others come for one hit.
type visitor struct {
	url   string
	roots *x509.CertPool
	lasts time.Duration // how long it is measured
	http2 bool          // it speaks HTTP/2, else HTTP/1.1
	kept  *http.Client
	quiet visited // without an attack
}

// visited is within what 95 % of a visitor's hits were served.
type visited struct {
	kept time.Duration // on the kept connection
	anew time.Duration // on a new one, with its handshake, and with what was refused before it
}

// visit has a visitor, from 127.0.0.3, make its requests, and others come, from 127.0.0.10 and so on. Each has to be answered with 200.
// Attacked, 95 % of the hits may take at most twice as long as in quiet, and a little; those on new connections may take as long as the
// story says, if it does.
func visit(p *play, args []string) error {
	switch {
	case len(args) == 2 && args[0] == "quiet":
		return p.receive(args[1], visitLasts, false)
	case len(args) == 0 || len(args) > 2 || args[0] != "attacked" || p.visitor == nil:
		return errUsage
	}
	quiet := p.visitor.quiet
	limit := visited{2*quiet.kept + hardly, 2*quiet.anew + hardly}
	if len(args) == 2 {
		var err error
		if limit.anew, err = time.ParseDuration(args[1]); err != nil {
			return errUsage
		}
	}
	return p.visitor.attacked(p, limit)
}

// receive has a visitor come, who is measured in quiet.
func (p *play) receive(url string, lasts time.Duration, http2 bool) error {
	v, err := p.newVisitor(url, http2)
	if err == nil {
		p.visitor, v.lasts = v, lasts
		v.quiet, err = v.measure(p)
	}
	return err
}

// attacked measures the visitor, who may not wait longer than the limit.
func (v *visitor) attacked(p *play, limit visited) error {
	attacked, err := v.measure(p)
	if err != nil {
		return err
	}
	return errors.Join(
		within("hits", attacked.kept, v.quiet.kept, limit.kept),
		within("hits on new connections", attacked.anew, v.quiet.anew, limit.anew))
}

func within(what string, attacked, quiet, limit time.Duration) error {
	if attacked <= limit {
		return nil
	}
	return fmt.Errorf("95 %% of the visitor's %s took up to %v, and in quiet %v: may be %v", what, attacked, quiet, limit)
}

// newVisitor is one who trusts the local authority.
func (p *play) newVisitor(url string, http2 bool) (*visitor, error) {
	roots := x509.NewCertPool()
	ca, err := os.ReadFile(p.MkAbs("data/ca.pem"))
	if err == nil {
		roots.AppendCertsFromPEM(ca)
	} else if !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	v := &visitor{url: url, roots: roots, http2: http2}
	v.kept = v.from(3, false)
	return v, nil
}

// from is a client that comes from 127.0.0.host, for one request or for many.
func (v *visitor) from(host byte, once bool) *http.Client {
	dialer := &net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, host)}}
	transport := &http.Transport{
		DialContext: dialer.DialContext, TLSClientConfig: &tls.Config{RootCAs: v.roots}, DisableKeepAlives: once, Protocols: new(http.Protocols),
	}
	transport.Protocols.SetHTTP1(!v.http2)
	transport.Protocols.SetHTTP2(v.http2)
	return &http.Client{Timeout: patience, Transport: transport}
}

// measure has the visitor make requests for a while.
func (v *visitor) measure(p *play) (visited, error) {
	var kept, anew []time.Duration
	var refused int
	var failed [2]error
	var both sync.WaitGroup
	both.Go(func() { kept, failed[0] = v.stay() })
	both.Go(func() { anew, refused, failed[1] = v.come() })
	both.Wait()
	took := visited{most(kept), most(anew)}
	fmt.Fprintf(p.Stdout(), "hits %d\n95 %% within %v\nnew connections %d\n95 %% of them within %v\nrefused %d\n",
		len(kept), took.kept, len(anew), took.anew, refused)
	return took, errors.Join(failed[:]...)
}

// stay returns what the hits on the kept connection took. The time of one that had to wait for the one before it begins when it was due.
func (v *visitor) stay() (took []time.Duration, err error) {
	for due, over := time.Now(), time.Now().Add(v.lasts); due.Before(over); due = due.Add(hitEvery) {
		began := due
		if early := time.Until(due); early > 0 {
			time.Sleep(early)
			began = time.Now()
		}
		if err := hit(v.kept, v.url); err != nil {
			return nil, fmt.Errorf("a hit: %w", err)
		}
		if time.Since(over) > patience {
			return nil, fmt.Errorf("%d hits took longer than %v", len(took), patience)
		}
		took = append(took, time.Since(began))
	}
	return took, nil
}

// come returns what the hits on new connections took, each with its tries, and how many of these were refused.
func (v *visitor) come() (took []time.Duration, refused int, err error) {
	var all sync.WaitGroup
	var mu sync.Mutex
	for i := range byte(v.lasts / newEvery) {
		all.Go(func() {
			t, tries, failed := v.renew(v.from(10+i, true))
			mu.Lock()
			defer mu.Unlock()
			took, refused, err = append(took, t), refused+tries-1, errors.Join(err, failed)
		})
		time.Sleep(newEvery)
	}
	all.Wait()
	return took, refused, err
}

// renew comes anew, and tries that again if it is refused.
func (v *visitor) renew(c *http.Client) (took time.Duration, tries int, err error) {
	began := time.Now()
	failed := until("a new connection is served", func() bool {
		tries++
		err = hit(c, v.url)
		return err == nil
	})
	if failed != nil {
		return 0, tries, fmt.Errorf("%w: %w", failed, err)
	}
	return time.Since(began), tries, nil
}

func hit(c *http.Client, url string) error {
	response, err := c.Get(url)
	if err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, response.Body)
	response.Body.Close()
	if err == nil && response.StatusCode != http.StatusOK {
		err = errors.New(response.Status)
	}
	return err
}

// most is within what 95 % of them are.
func most(d []time.Duration) time.Duration {
	if len(d) == 0 {
		return 0
	}
	slices.Sort(d)
	return d[len(d)*95/100]
}
