//! The world behind a mutex, advanced by the clock whenever it is read or given a command.

use super::command::{Answer, Command};
use super::event::Event;
use super::world::World;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;
use tokio::sync::{Notify, watch};
use tokio::time::Instant;

/// A world shared by the task that posts its events and the API, which gives it commands.
#[derive(Debug)]
pub(crate) struct SharedWorld {
    world: Mutex<World>,
    started: OnceLock<Instant>,
    speed: f64,
    woken: Notify,
    process: watch::Sender<Option<u64>>,
}

impl SharedWorld {
    /// A world whose time does not pass yet.
    pub(crate) fn new(world: World, speed: f64) -> Self {
        Self {
            world: Mutex::new(world),
            started: OnceLock::new(),
            speed,
            woken: Notify::new(),
            process: watch::Sender::new(None),
        }
    }

    /// The world as it was left.
    pub(crate) fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The real time of a moment of the world, whose time starts with the first call.
    pub(crate) fn real(&self, moment: Duration) -> Instant {
        *self.started.get_or_init(Instant::now) + moment.div_f64(self.speed)
    }

    /// Everything that has happened by now.
    pub(crate) fn advance(&self) -> Vec<Event> {
        self.at_present(World::advance)
    }

    /// Carries out a command at this moment; none while there is no server.
    pub(crate) fn command(&self, command: &Command) -> Option<Answer> {
        let answer = self.at_present(|world, now| world.command(now, command));
        self.woken.notify_one();
        answer
    }

    /// Rejects a command at this moment; false while there is no server.
    pub(crate) fn reject(&self, command: &Command, rejection: &Answer) -> bool {
        let running = self.at_present(|world, now| world.reject(now, command, rejection));
        self.woken.notify_one();
        running
    }

    /// Ready once a command has been carried out.
    pub(crate) async fn woken(&self) {
        self.woken.notified().await;
    }

    /// The number of the present process; none while there is no server.
    pub(crate) fn process(&self) -> watch::Receiver<Option<u64>> {
        self.process.subscribe()
    }

    fn at_present<T>(&self, act: impl FnOnce(&mut World, Duration) -> T) -> T {
        let mut world = self.world();
        let done = act(&mut world, self.real(Duration::ZERO).elapsed().mul_f64(self.speed));
        let present = world.running.then_some(world.starts);
        self.process.send_if_modified(|process| std::mem::replace(process, present) != present);
        done
    }
}
