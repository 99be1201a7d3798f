package intake

import "unicode/utf8"

// repository is how every event names one.
type repository struct {
	id           int64
	name, branch string
}

// payload has the fields that some decision uses, and no others.
type payload struct {
	action     string
	repository repository

	installation struct {
		id               int64
		account, updated string
	}
	sender actor

	pullRequest struct {
		number                             int64
		head, before, state, updated       string
		author                             actor
		changedFiles, additions, deletions int64
		baseChanged                        bool
	}
	checkRun struct {
		id, app                          int64
		externalID, headSHA, completedAt string
	}
	checkSuite struct {
		id, app            int64
		headSHA, updatedAt string
	}
	comment struct {
		author actor
		app    int64
	}
	added, removed []repository
}

// actor is a user, a bot or an organisation.
type actor struct{ login, kind string }

func (a actor) bot() bool { return a.kind == "Bot" }

// decode reads the fields that the decision on an event uses. The rest is only checked for being JSON.
func decode(event string, data []byte) (*payload, error) {
	s := &scanner{data: data, keys: make([][]byte, 0, openKeys)}
	if !utf8.Valid(data) {
		return nil, s.fail("it is not UTF-8")
	}
	if s.peek() != '{' {
		return nil, s.fail("want an object")
	}
	p := &payload{}
	err := s.object(func(key []byte) error {
		switch string(key) {
		case "action":
			return s.str(&p.action)
		case "repository":
			return s.repository(&p.repository)
		case "installation":
			return s.installation(p)
		case "sender":
			return s.actor(&p.sender)
		}
		return s.eventField(event, string(key), p)
	})
	if err != nil {
		return nil, err
	}
	if err := s.end(); err != nil {
		return nil, err
	}
	return p, nil
}

// eventField reads what only one kind of event has; the same key means other things elsewhere.
func (s *scanner) eventField(event, key string, p *payload) error {
	switch event + "." + key {
	case "pull_request.number":
		return s.whole(&p.pullRequest.number)
	case "pull_request.before":
		return s.str(&p.pullRequest.before)
	case "pull_request.pull_request":
		return s.pullRequest(p)
	case "pull_request.changes":
		return s.object(func(key []byte) error {
			if string(key) == "base" {
				return s.set(&p.pullRequest.baseChanged)
			}
			return s.skip()
		})
	case "check_run.check_run":
		return s.checkRun(p)
	case "check_suite.check_suite":
		return s.checkSuite(p)
	case "issue_comment.comment", "pull_request_review_comment.comment", "pull_request_review.review":
		return s.comment(p)
	case "installation.repositories", "installation_repositories.repositories_added":
		return s.repositories(&p.added, maxAdded)
	case "installation_repositories.repositories_removed":
		return s.repositories(&p.removed, maxRemoved)
	}
	return s.skip()
}

func (s *scanner) repository(r *repository) error {
	return s.object(func(key []byte) error {
		switch string(key) {
		case "id":
			return s.whole(&r.id)
		case "full_name":
			return s.str(&r.name)
		case "default_branch":
			return s.str(&r.branch)
		}
		return s.skip()
	})
}

func (s *scanner) repositories(into *[]repository, most int) error {
	return s.array(func() error {
		var r repository
		err := s.repository(&r)
		if len(*into) < most {
			*into = append(*into, r)
		}
		return err
	})
}

func (s *scanner) installation(p *payload) error {
	return s.object(func(key []byte) error {
		switch string(key) {
		case "id":
			return s.whole(&p.installation.id)
		case "updated_at":
			return s.stamp(&p.installation.updated)
		case "account":
			var a actor
			err := s.actor(&a)
			p.installation.account = a.login
			return err
		}
		return s.skip()
	})
}

func (s *scanner) actor(a *actor) error {
	return s.object(func(key []byte) error {
		switch string(key) {
		case "login":
			return s.str(&a.login)
		case "type":
			return s.str(&a.kind)
		}
		return s.skip()
	})
}

func (s *scanner) pullRequest(p *payload) error {
	pr := &p.pullRequest
	return s.object(func(key []byte) error {
		switch string(key) {
		case "state":
			return s.str(&pr.state)
		case "updated_at":
			return s.str(&pr.updated)
		case "user":
			return s.actor(&pr.author)
		case "changed_files":
			return s.whole(&pr.changedFiles)
		case "additions":
			return s.whole(&pr.additions)
		case "deletions":
			return s.whole(&pr.deletions)
		case "head":
			return s.object(func(key []byte) error {
				if string(key) == "sha" {
					return s.str(&pr.head)
				}
				return s.skip()
			})
		}
		return s.skip()
	})
}

func (s *scanner) checkRun(p *payload) error {
	run := &p.checkRun
	return s.object(func(key []byte) error {
		switch string(key) {
		case "id":
			return s.whole(&run.id)
		case "external_id":
			return s.str(&run.externalID)
		case "head_sha":
			return s.str(&run.headSHA)
		case "completed_at":
			return s.str(&run.completedAt)
		case "app":
			return s.id(&run.app)
		}
		return s.skip()
	})
}

func (s *scanner) checkSuite(p *payload) error {
	suite := &p.checkSuite
	return s.object(func(key []byte) error {
		switch string(key) {
		case "id":
			return s.whole(&suite.id)
		case "head_sha":
			return s.str(&suite.headSHA)
		case "updated_at":
			return s.str(&suite.updatedAt)
		case "app":
			return s.id(&suite.app)
		}
		return s.skip()
	})
}

func (s *scanner) comment(p *payload) error {
	return s.object(func(key []byte) error {
		switch string(key) {
		case "user":
			return s.actor(&p.comment.author)
		case "performed_via_github_app":
			return s.id(&p.comment.app)
		}
		return s.skip()
	})
}

// id reads the id of an object.
func (s *scanner) id(into *int64) error {
	return s.object(func(key []byte) error {
		if string(key) == "id" {
			return s.whole(into)
		}
		return s.skip()
	})
}
