# Rule 6: of two devices one votes, and the other's disk has everything before an answer is given.

office 2 desktops seats 2 ttl 15s
> 1 voter, 0 standbys, 1 spare
await pc1 standby within 10s
> yes
call Voter the holder
call Stand a standby
checkout eva@Stand as a
> granted

# Alone, the voter waits for the other for a second, and says that nobody else has it.
kill Stand
checkout jan@Voter as b within 2s
> granted, on one disk only

# The standby alone cannot hold: it cannot know what it has missed.
start Stand
wait 5s
kill Voter
wait 5s
show Stand
> nobody holds
start Voter
await Voter holder within 3s
> yes
wait 2s
show b
> uses a seat
