package githubtest

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"net/http"
	"net/url"
	"path"
	"sort"
	"strconv"
	"strings"
)

func (s *Server) compare(r *request) answer {
	from, to, found := strings.Cut(r.params["basehead"], "...")
	base, head := r.repo.resolve(from), r.repo.resolve(to)
	if !found || base == nil || head == nil {
		return notFound()
	}
	fork := r.repo.commits[r.repo.mergeBase(base.sha, head.sha)]
	if fork == nil {
		return problem(http.StatusNotFound, "No common ancestor between "+from+" and "+to+".")
	}
	if strings.Contains(r.Header.Get("Accept"), "diff") {
		return s.sendDiff(r.repo.changes(fork.sha, head.sha))
	}
	ahead, behind := r.repo.between(base.sha, head.sha), r.repo.between(head.sha, base.sha)
	status := "diverged"
	switch {
	case len(ahead) == 0 && len(behind) == 0:
		status = "identical"
	case len(behind) == 0:
		status = "ahead"
	case len(ahead) == 0:
		status = "behind"
	}
	at := s.URL + "/" + r.repo.fullName() + "/compare/" + r.params["basehead"]
	page, h := paged(s, r, ahead)
	commits := make([]obj, len(page))
	for i, c := range page {
		commits[i] = s.commitObject(r.repo, c)
	}
	o := obj{
		"url": s.URL + "/repos/" + r.repo.fullName() + "/compare/" + r.params["basehead"], "html_url": at, "permalink_url": at,
		"diff_url": at + ".diff", "patch_url": at + ".patch", "base_commit": s.commitObject(r.repo, base),
		"merge_base_commit": s.commitObject(r.repo, fork), "status": status, "ahead_by": len(ahead), "behind_by": len(behind),
		"total_commits": len(ahead), "commits": commits,
	}
	if p := r.query.Get("page"); p == "" || p == "1" {
		files := []obj{}
		for _, c := range r.repo.changes(fork.sha, head.sha) {
			if len(files) == 300 {
				break
			}
			files = append(files, s.fileObject(r.repo, head.sha, c))
		}
		o["files"] = files
	}
	return withHeader(ok(o), h)
}

func (s *Server) getContents(r *request) answer {
	ref := r.query.Get("ref")
	if ref == "" {
		ref = r.repo.branch
	}
	c := r.repo.resolve(ref)
	if c == nil {
		return problem(http.StatusNotFound, "No commit found for the ref "+ref)
	}
	name := r.params["path"]
	raw := strings.Contains(r.Header.Get("Accept"), "raw")
	if content, ok := c.files[name]; ok {
		if raw {
			return plain("application/vnd.github.raw+json; charset=utf-8", []byte(content))
		}
		o := s.entry(r, ref, name, "file", blobSHA(content), len(content))
		o["encoding"], o["content"] = "base64", base64.StdEncoding.EncodeToString([]byte(content))
		return reply(http.StatusOK, o)
	}
	prefix := strings.TrimSuffix(name, "/") + "/"
	list := []obj{}
	_, below := treeOf(c.files, prefix)
	for _, e := range below {
		if path.Dir(e.path)+"/" != prefix {
			continue
		}
		kind := "file"
		if e.kind == "tree" {
			kind = "dir"
		}
		list = append(list, s.entry(r, ref, e.path, kind, e.sha, len(e.content)))
	}
	if len(list) == 0 {
		return notFound()
	}
	return reply(http.StatusOK, list)
}

func (s *Server) entry(r *request, ref, name, kind, sha string, size int) obj {
	at := s.URL + "/repos/" + r.repo.fullName()
	self := at + "/contents/" + (&url.URL{Path: name}).EscapedPath() + "?ref=" + url.QueryEscape(ref)
	html := s.URL + "/" + r.repo.fullName() + "/blob/" + ref + "/" + name
	git := at + "/git/blobs/" + sha
	return obj{
		"type": kind, "name": path.Base(name), "path": name, "sha": sha, "size": size, "url": self, "html_url": html, "git_url": git,
		"download_url": html, "_links": obj{"self": self, "git": git, "html": html},
	}
}

func (s *Server) getTree(r *request) answer {
	c := r.repo.resolve(r.params["tree_sha"])
	if c == nil {
		return notFound()
	}
	at := s.URL + "/repos/" + r.repo.fullName() + "/git/"
	list := []obj{}
	sha, entries := treeOf(c.files, "")
	for _, e := range entries {
		if r.query.Get("recursive") == "" && strings.Contains(e.path, "/") {
			continue
		}
		o := obj{"path": e.path, "mode": e.mode, "type": e.kind, "sha": e.sha, "url": at + e.kind + "s/" + e.sha}
		if e.kind == "blob" {
			o["size"] = len(e.content)
		}
		list = append(list, o)
	}
	return ok(obj{"sha": sha, "url": at + "trees/" + sha, "tree": list, "truncated": false})
}

func (s *Server) getTarball(r *request) answer {
	ref := r.params["ref"]
	c := r.repo.resolve(ref)
	if c == nil {
		return notFound()
	}
	h := http.Header{}
	h.Set("Location", s.URL+"/_codeload/"+r.repo.fullName()+"/"+c.sha)
	return answer{status: http.StatusFound, header: h}
}

// sendArchive gives the archive of a commit as codeload does: without asking who calls, for the address is a secret.
func (s *Server) sendArchive(r *request) answer {
	s.mu.Lock()
	defer s.mu.Unlock()
	repo := s.repository(r.params["owner"] + "/" + r.params["repo"])
	if repo == nil || repo.resolve(r.params["ref"]) == nil {
		return notFound()
	}
	c := repo.resolve(r.params["ref"])
	top := repo.owner + "-" + repo.name + "-" + c.sha[:7]
	var b bytes.Buffer
	zipped := gzip.NewWriter(&b)
	archive := tar.NewWriter(zipped)
	names := sorted(c.files)
	sort.Strings(names)
	err := archive.WriteHeader(&tar.Header{Typeflag: tar.TypeXGlobalHeader, Name: "pax_global_header", PAXRecords: map[string]string{"comment": c.sha}})
	for _, name := range names {
		if err != nil {
			break
		}
		h := &tar.Header{Typeflag: tar.TypeReg, Name: top + "/" + name, Mode: 0o644, Size: int64(len(c.files[name])), ModTime: c.at}
		if err = archive.WriteHeader(h); err == nil {
			_, err = archive.Write([]byte(c.files[name]))
		}
	}
	if err == nil {
		err = archive.Close()
	}
	if err == nil {
		err = zipped.Close()
	}
	if err != nil {
		return problem(http.StatusInternalServerError, "cannot pack: "+err.Error())
	}
	a := plain("application/x-gzip", b.Bytes())
	a.header.Set("Content-Length", strconv.Itoa(b.Len()))
	return a
}
