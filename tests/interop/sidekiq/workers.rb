# frozen_string_literal: true

# The job classes of the interop tests.  Loaded by the real `sidekiq`, which runs them, and by
# client.rb, which pushes them.  tests/apps/sidekiq_peer.py is the same for treadle.
#
# What a job does is told to the tests through these keys of the same Redis:
#   interop:started        list, one jid for each attempt, pushed as its first step
#   interop:ran            list, {"jid","class","args","program"} for each successful run
#   interop:attempts:<jid> counter of a job that fails a number of times
#   interop:release:<jid>  list that a Held job waits on; push anything to let it end

require "json"
require "sidekiq"

# redis-rb 4.8 warns of what its version 5 will do; Sidekiq 6.4.1 never meets it.
Redis.silence_deprecations = true

REPORT_TTL = 600 # seconds

module Reported
  def self.included(job_class)
    job_class.include(Sidekiq::Worker)
  end

  def started
    Sidekiq.redis { |redis| redis.rpush("interop:started", jid) }
  end

  def ran(args)
    report = JSON.generate("jid" => jid, "class" => self.class.name, "args" => args, "program" => "sidekiq")
    Sidekiq.redis { |redis| redis.rpush("interop:ran", report) }
  end
end

class Echo
  include Reported

  def perform(*args)
    started
    ran(args)
  end
end

module Billing
  class Invoice < Echo; end
end

class Elsewhere < Echo
  sidekiq_options queue: "elsewhere"
end

class Tagged < Echo
  sidekiq_options tags: ["red", "blue"], retry: 5
end

# Options that Sidekiq does not know; it stores them in each payload as they are.
class Extra < Echo
  sidekiq_options "bid" => "bWh9cA5QyN3nUw", "cattr" => {"tenant" => 7}, "trd" => {"deep" => [1, {"x" => nil}]}
end

# Ends when the test pushes to interop:release:<jid>, or after `wait` seconds.
class Held
  include Reported

  def perform(wait = 60)
    started
    Sidekiq.redis { |redis| redis.blpop("interop:release:#{jid}", timeout: wait) }
    ran([wait])
  end
end

# Fails in its first `failures` attempts, then succeeds.
class FailsTimes
  include Reported
  sidekiq_options retry: 10

  def perform(failures, *rest)
    started
    raise ArgumentError, "attempt #{attempt} of #{failures} fails" if attempt <= failures
    ran([failures, *rest])
  end

  def attempt
    @attempt ||= Sidekiq.redis { |redis|
      key = "interop:attempts:#{jid}"
      redis.multi { |transaction|
        transaction.incr(key)
        transaction.expire(key, REPORT_TTL)
      }.first
    }
  end
end

class AlwaysFails
  include Reported
  sidekiq_options retry: 3

  def perform(*args)
    started
    raise ArgumentError, "boom #{args.inspect}"
  end
end

class RetryZero < AlwaysFails
  sidekiq_options retry: 0
end

class RetryFalse < AlwaysFails
  sidekiq_options retry: false
end

# Retried from another queue than its first attempt's.
class RetriedElsewhere < AlwaysFails
  sidekiq_options retry: 3, retry_queue: "elsewhere"
end

# Leaves nothing behind when its retries are exhausted.
class NeverDead < AlwaysFails
  sidekiq_options retry: 0, dead: false
end

class Backtraced < AlwaysFails
  sidekiq_options retry: 3, backtrace: 5, tags: ["traced"]
end

# Debian's ruby-redis-namespace puts a name before every key.
if (namespace = ENV["INTEROP_NAMESPACE"])
  settings = {url: ENV.fetch("REDIS_URL"), namespace: namespace}
  Sidekiq.configure_server { |config| config.redis = settings }
  Sidekiq.configure_client { |config| config.redis = settings }
end

# The settings below change how often Sidekiq looks, never what it writes.
Sidekiq.configure_server do |config|
  # The test run holds the other end of stdin: if it dies, so does this process.
  Thread.new do
    $stdin.read
    Process.kill("KILL", Process.pid)
  end

  if (beat = ENV["INTEROP_BEAT"])
    # No option for it: BEAT_PAUSE is a constant of 5 seconds (launcher.rb).
    Sidekiq::Launcher.send(:remove_const, :BEAT_PAUSE)
    Sidekiq::Launcher.const_set(:BEAT_PAUSE, Float(beat))
  end

  if (poll = ENV["INTEROP_POLL"])
    config.options[:poll_interval_average] = Float(poll)
    # Nor for the poller's opening nap of up to 5 seconds (scheduled.rb, initial_wait).
    Sidekiq::Scheduled::Poller.prepend(Module.new { private def initial_wait; end })
  else
    config.options[:scheduled_enq] = Class.new { def enqueue_jobs; end }
  end
end
