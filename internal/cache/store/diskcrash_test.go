package store

import (
	"bufio"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// The crash test's child is this program, told so by crashFolder; SEAWALL_CRASHES says how often it is killed.
const (
	crashFolder = "SEAWALL_CRASH_FOLDER"
	crashCount  = "SEAWALL_CRASHES"
	crashKeys   = 300
	crashLanes  = 4
)

func TestMain(m *testing.M) {
	if folder := os.Getenv(crashFolder); folder != "" {
		crashChild(folder)
	}
	os.Exit(m.Run())
}

func crashOptions(folder string) Options {
	o := testOptions(folder)
	o.Size = 5 << 20
	return o
}

// crashChild puts, deletes and looks objects up until it is killed. It says each change that is in force on standard output, which is a
// pipe: what is said is not lost with the process. Each lane has keys of its own.
func crashChild(folder string) {
	first, _ := strconv.ParseUint(os.Getenv("SEAWALL_CRASH_VERSION"), 10, 64)
	d, err := Open(crashOptions(folder))
	if err != nil {
		fmt.Println("problem", err)
		os.Exit(1)
	}
	var out sync.Mutex
	say := func(what string, k Key, version uint64) {
		out.Lock()
		defer out.Unlock()
		fmt.Println(what, uint64(k), version)
	}
	for lane := range crashLanes {
		go func() {
			r := rand.New(rand.NewPCG(first, uint64(lane)))
			bodies := make(map[Key]object)
			for version := first; ; version++ {
				for waiting(d) > 20 { // so that few are dropped
					runtime.Gosched()
				}
				k := keyOf(1 + lane + crashLanes*r.IntN(crashKeys/crashLanes))
				switch o, known := bodies[k]; r.IntN(10) {
				case 0, 1:
					d.Delete(k)
					say("gone", k, version)
				case 2, 3:
					if known {
						renew(d, o, version)
						say("put", k, version)
					}
				case 4:
					if f, ok := d.Find(k); ok {
						if _, _, err := f.Read(); err != nil {
							fmt.Println("problem", err)
						}
						f.Release()
					}
				case 5:
					o = object{k, version, 1 + r.IntN(200_000)}
					if s := d.Spool(int64(o.size)); s != nil {
						bodies[k] = o
						d.Delete(k)
						_ = s.Write(o.Content()) // or the tier is off, which the parent finds
						d.PutSpool(k, o, s, func() {})
						s.Close()
						say("put", k, version)
					}
				default:
					o = object{k, version, r.IntN(40_000)}
					bodies[k] = o
					d.Delete(k)
					d.Put(k, o, 40_000)
					say("put", k, version)
				}
			}
		}()
	}
	select {}
}

func waiting(d *Disk) int {
	d.queue.mu.Lock()
	defer d.queue.mu.Unlock()
	return len(d.queue.items)
}

// Whenever the process is killed, what is found afterwards is whole, and not older than what was in force.
func TestDiskCrash(t *testing.T) {
	crashes := 3
	if n, err := strconv.Atoi(os.Getenv(crashCount)); err == nil {
		crashes = n
	}
	folder := filepath.Join(t.TempDir(), "cache")
	put, gone := make(map[Key]uint64), make(map[Key]uint64) // the last of each
	r := rand.New(rand.NewPCG(uint64(time.Now().UnixNano()), 1))
	found := 0
	for crash := range crashes {
		first := uint64(crash+1) << 32
		crashOnce(t, folder, first, 200+r.IntN(4000), put, gone)
		synctest.Test(t, func(t *testing.T) { found += checkCrash(t, folder, put, gone) })
	}
	t.Logf("killed %d times; %d objects were found afterwards, each byte as it should be", crashes, found)
	if found < crashes*10 {
		t.Errorf("found %d objects after %d crashes, want more", found, crashes)
	}
}

// crashOnce has a child work until it has said so many lines, kills it, and takes down what it said.
func crashOnce(t *testing.T, folder string, first uint64, after int, put, gone map[Key]uint64) {
	t.Helper()
	child := exec.Command(os.Args[0], "-test.run=^$")
	child.Env = append(os.Environ(), crashFolder+"="+folder, "SEAWALL_CRASH_VERSION="+strconv.FormatUint(first, 10))
	child.Stderr = os.Stderr
	pipe, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewReader(pipe)
	for said := 0; ; said++ {
		if said == after {
			_ = child.Process.Kill()
		}
		line, err := lines.ReadString('\n')
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		var what string
		var k, version uint64
		if _, err := fmt.Sscan(line, &what, &k, &version); err != nil {
			t.Fatalf("the child said %q", strings.TrimSpace(line))
		}
		if what == "put" {
			put[Key(k)] = version
		} else {
			gone[Key(k)] = version
		}
	}
	_ = child.Wait() // it was killed
}

// checkCrash looks everything up.
func checkCrash(t *testing.T, folder string, put, gone map[Key]uint64) (found int) {
	t.Helper()
	d := openTest(t, crashOptions(folder))
	defer d.Close()
	synctest.Wait()
	if s := d.Stats(); s.State != Serving || s.Bytes > 5<<20 {
		t.Fatalf("got %v (%s) with %d bytes", s.State, s.Problem, s.Bytes)
	}
	for i := range crashKeys + crashLanes {
		k := keyOf(1 + i)
		version := lookup(t, d, k)
		if version == 0 {
			continue
		}
		found++
		if version < put[k] || version <= gone[k] {
			t.Errorf("key %x: got version %x, want at least %x, put last, and more than %x, deleted last", k, version, put[k], gone[k])
		}
	}
	return found
}
